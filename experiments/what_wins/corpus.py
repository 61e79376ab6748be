"""The two corpora of this folder's README, each with clips without labels.

    python -m experiments.what_wins.corpus soundscapes --soundbank ../shared/data/soundbank
    python -m experiments.what_wins.corpus sprsound --root ../shared/data/sprsound

`soundscapes`: the corpus of experiments/cosine_penalty (recipe `domestic`, seed 0), and as many other mixtures of the
training recordings without labels (seed 1). `sprsound`: the recordings as they are, with the rows of a random share of
the training patients left out of both tables.
"""

import argparse
import csv
import shutil
from pathlib import Path

import numpy as np

from wsed.data.synth.soundscape import synthesise

TABLES = ("recordings.csv", "events.csv")
UNLABELLED = "unlabel_in_domain"


def soundscapes(soundbank: str, out: Path, clips: int, validation: int, test: int) -> None:
    """The labelled clips, then the others as `train/unlabel_in_domain`; no training reads their true events."""
    counts = {"train": clips, "validation": validation, "eval": test}
    synthesise(out, soundbank=soundbank, recipe="domestic", seed=0, clips=counts)
    more = out.with_name(out.name + ".more")
    synthesise(more, soundbank=soundbank, recipe="domestic", seed=1, clips={"train": clips})
    folder = out / "audio/train" / UNLABELLED
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    names = []
    for clip in sorted((more / "audio/train/weak").iterdir()):
        names.append(f"other_{clip.name}")  # the two corpora give their clips the same names
        clip.rename(folder / names[-1])
    (out / f"metadata/train/{UNLABELLED}.tsv").write_text("\n".join(["filename", *names]) + "\n")
    header, *rows = (more / "metadata/train/strong.tsv").read_text().splitlines()
    (out / "unlabelled_events.tsv").write_text("\n".join([header, *(f"other_{row}" for row in rows)]) + "\n")
    shutil.rmtree(more)


def sprsound(root: Path, out: Path, hidden: float, seed: int) -> None:
    """A folder with a link to the recordings, and both tables without the training recordings of some patients."""
    rows = {name: _rows(root / name) for name in TABLES}
    of_patient: dict[str, set[str]] = {}
    for row in rows["recordings.csv"]:
        if row["split"] == "train":
            of_patient.setdefault(row["patient"], set()).add(row["file"])
    patients = np.random.default_rng(seed).permutation(sorted(of_patient))
    without = set().union(*(of_patient[patient] for patient in patients[: round(hidden * len(patients))]))
    out.mkdir(parents=True, exist_ok=True)
    for name, table in rows.items():
        with (out / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(table[0]))
            writer.writeheader()
            writer.writerows(row for row in table if row["file"] not in without)
    link = out / "audio"
    link.unlink(missing_ok=True)
    link.symlink_to((root / "audio").resolve(), target_is_directory=True)
    print(f"{out}: of {len(patients)} patients of the training, {len(without)} recordings without labels")


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    of = parser.add_subparsers(dest="corpus", required=True)
    mixed = of.add_parser("soundscapes")
    mixed.add_argument("--soundbank", required=True)
    mixed.add_argument("--out", type=Path, default=Path("data/what_wins/soundscapes"))
    mixed.add_argument("--clips", type=int, default=3000, help="with labels, and as many without (default: 3000)")
    mixed.add_argument("--validation", type=int, default=300)
    mixed.add_argument("--test", type=int, default=400)
    lungs = of.add_parser("sprsound")
    lungs.add_argument("--root", type=Path, required=True)
    lungs.add_argument("--out", type=Path, default=Path("data/what_wins/sprsound"))
    lungs.add_argument("--hidden", type=float, default=0.8, help="share of the training patients (default: 0.8)")
    lungs.add_argument("--seed", type=int, default=0, help="of the choice of patients")
    args = parser.parse_args()
    if args.corpus == "soundscapes":
        soundscapes(args.soundbank, args.out, args.clips, args.validation, args.test)
    else:
        sprsound(args.root, args.out, args.hidden, args.seed)


if __name__ == "__main__":
    main()
