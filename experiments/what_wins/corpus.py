"""The two corpora of this folder's README, each with clips without labels; and impulse responses of simulated rooms.

    python -m experiments.what_wins.corpus soundscapes --soundbank ../shared/data/soundbank
    python -m experiments.what_wins.corpus sprsound --root ../shared/data/sprsound
    python -m experiments.what_wins.corpus responses

`soundscapes`: the corpus of experiments/cosine_penalty (recipe `domestic`, seed 0), and as many other mixtures of the
training recordings without labels (seed 1). `sprsound`: the recordings as they are, with the rows of a random share of
the training patients left out of both tables. `responses`: impulse responses for the row `impulse_response`, if you
have no recorded ones.
"""

import argparse
import csv
import shutil
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

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


def response(rng: np.random.Generator, rate: int) -> NDArray[np.float32]:
    """The impulse response of a simulated room: direct sound, and noise that decays exponentially (Polack 1988).

    The level falls by 60 dB in 0.2 to 0.8 s; the direct sound has 0 to 15 dB more energy than the noise.

    Args:
        rng: source of the random numbers.
        rate: sample rate, Hz.

    Returns:
        the samples `[sample]`, with a peak of 0.9.
    """
    decay, ratio = 0.2 * 4 ** rng.random(), 15 * rng.random()
    n = round(decay * rate)
    tail = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    tail *= 10 ** (-ratio / 20) / np.linalg.norm(tail)
    tail[0] = 1
    return (0.9 * tail / np.abs(tail).max()).astype(np.float32)


def responses(out: Path, number: int, rate: int = 16000) -> None:
    """A folder with impulse responses, one WAV file each, the same in each call with the same number and rate (Hz)."""
    if out.is_symlink() or (out.exists() and any(out.iterdir())):
        raise SystemExit(f"{out} is a link or holds files already: give another --out, or remove it")
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(number):
        soundfile.write(out / f"room_{i:03d}.wav", response(rng, rate), rate)
    print(f"{out}: {number} impulse responses of simulated rooms")


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
    rooms = of.add_parser("responses")
    rooms.add_argument("--out", type=Path, default=Path("data/what_wins/impulse_responses"))
    rooms.add_argument("--number", type=int, default=100)
    args = parser.parse_args()
    if args.corpus == "responses":
        responses(args.out, args.number)
    elif args.corpus == "soundscapes":
        soundscapes(args.soundbank, args.out, args.clips, args.validation, args.test)
    else:
        sprsound(args.root, args.out, args.hidden, args.seed)


if __name__ == "__main__":
    main()
