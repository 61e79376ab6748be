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


def add_source(made: Path, corpus: Path, name: str, toothbrush: bool) -> None:
    """Move the training clips of one corpus and their events into another, as its source `name`.

    `toothbrush`: whether built-in sounds get the soundbank's name of a class.
    """
    shutil.move(made / "audio" / "train" / "weak", corpus / "audio" / "train" / name)
    tables = made / "metadata" / "train"
    events = (tables / "strong.tsv").read_text()
    if toothbrush:
        events = events.replace("Electric_shaver_toothbrush", "Toothbrush")
    (corpus / "metadata" / "train" / f"{name}.tsv").write_text(events)
    shutil.copy(tables / "weak_durations.tsv", corpus / "metadata" / "train" / f"{name}_durations.tsv")
    shutil.copy(tables / "provenance.tsv", corpus / "metadata" / "train" / f"{name}_provenance.tsv")
    shutil.rmtree(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--soundbank", required=True, help="a folder, or builtin: then no recordings are dealt")
    parser.add_argument("--out", type=Path, default=Path("data/fpd"))
    parser.add_argument("--clips", type=int, default=1500, help="of each training source (default: 1500)")
    parser.add_argument("--test", type=int, nargs="+", default=[300, 400], help="validation and test clips")
    parser.add_argument("--sources", nargs="+", default=["synthetic", "builtin"], help="beside the clips with tags")
    args = parser.parse_args()
    parts = args.out.with_name(args.out.name + ".parts")
    shutil.rmtree(parts, ignore_errors=True)  # of a run that was killed
    banks = dict.fromkeys((*SIDES, "builtin"), "builtin")
    if args.soundbank != "builtin":
        deal(Path(args.soundbank), parts)
        banks |= {side: str(parts / side) for side in SIDES}
    train = f"train={args.clips}"
    synth(banks["weak"], args.out, 0, train, f"validation={args.test[0]}", f"eval={args.test[-1]}")
    for name in args.sources:
        synth(banks[name], parts / "made", 1 + ("synthetic", "builtin").index(name), train, "validation=0", "eval=0")
        add_source(parts / "made", args.out, name, name == "builtin" and args.soundbank != "builtin")
    shutil.rmtree(parts)


if __name__ == "__main__":
    main()
