"""The corpus of this folder's README: "real" clips with tags, and clips with events from other recordings.

    python -m experiments.fpd.corpus --soundbank ../shared/data/soundbank --out data/fpd [--clips 1500]

Weak and synthetic clips share no recording and no recordist: the groups of the soundbank's training split (column
`group_id` of its manifest) are dealt to the two in turn, class by class. Both are mixed by `wsed data synth` with the
recipe `domestic`, with different seeds. A third source, `builtin`, has events from sounds made by formula: a wider gap
between the two. Validation and test clips are those of the soundbank's own splits.
"""

import argparse
import csv
import shutil
import subprocess
import sys
from pathlib import Path

SIDES = ("weak", "synthetic")


def deal(soundbank: Path, out: Path) -> None:
    """Two soundbanks of links, `out/weak` and `out/synthetic`, without common groups; other splits are in both."""
    with (soundbank / "manifest.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    turns: dict[str, dict[str, int]] = {}
    side_of: dict[str, int] = {}
    for row in sorted(rows, key=lambda r: (r["class"], r["group_id"])):
        group, kind = row["group_id"], row["class"].split(":")[0]
        if row["split"] == "train" and group not in side_of:
            seen = turns.setdefault(kind, {})
            side_of[group] = seen.setdefault(group, len(seen) % 2)
    for row in rows:
        for i, side in enumerate(SIDES):
            if row["split"] != "train" or side_of[row["group_id"]] == i:
                link = out / side / row["path"]
                link.parent.mkdir(parents=True, exist_ok=True)
                link.unlink(missing_ok=True)
                link.symlink_to((soundbank / row["path"]).resolve())


def synth(soundbank: str, out: Path, seed: int, *clips: str) -> None:
    command = [sys.executable, "-m", "wsed.cli.main", "data", "synth", "--soundbank", soundbank, "--out", str(out)]
    subprocess.run([*command, "--recipe", "domestic", "--seed", str(seed), "--clips", *clips], check=True)


def add_source(made: Path, corpus: Path, name: str) -> None:
    """Move the training clips of one corpus and their events into another, as its source `name`."""
    shutil.move(made / "audio" / "train" / "weak", corpus / "audio" / "train" / name)
    tables = made / "metadata" / "train"
    events = (tables / "strong.tsv").read_text().replace("Electric_shaver_toothbrush", "Toothbrush")  # built-in sounds
    (corpus / "metadata" / "train" / f"{name}.tsv").write_text(events)
    shutil.copy(tables / "weak_durations.tsv", corpus / "metadata" / "train" / f"{name}_durations.tsv")
    shutil.copy(tables / "provenance.tsv", corpus / "metadata" / "train" / f"{name}_provenance.tsv")
    shutil.rmtree(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--soundbank", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("data/fpd"))
    parser.add_argument("--clips", type=int, default=1500, help="of each training source (default: 1500)")
    args = parser.parse_args()
    parts = args.out.with_name(args.out.name + ".parts")
    deal(args.soundbank, parts)
    train = f"train={args.clips}"
    synth(str(parts / "weak"), args.out, 0, train, "validation=300", "eval=400")
    for seed, (name, bank) in enumerate((("synthetic", str(parts / "synthetic")), ("builtin", "builtin")), start=1):
        synth(bank, parts / "made", seed, train, "validation=0", "eval=0")
        add_source(parts / "made", args.out, name)
    shutil.rmtree(parts)


if __name__ == "__main__":
    main()
