"""The table of this folder's README from finished runs, and each row decoded in other ways.

    .venv/bin/python experiments/cosine_penalty/table.py runs --reference data/domestic [--learning_curve]

Reads `runs/<row>/seed_<n>/test/frame_scores.npz` and the test labels of the corpus; nothing is trained. Prints mean and
standard deviation over seeds (n - 1) of the event F1 and of the Dishes/Frying correlation, for several decodings.
"""

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from wsed.data.desed_layout import read_clips
from wsed.decoding import Decoder
from wsed.metrics import class_correlation, event_counts, mean_positive_correlation, overlap_seconds, segment_counts
from wsed.metrics.clips import tag_counts
from wsed.types import Events

ROWS = ("fsl", "glu_mil", "glu_mil_cos")
SHORT = ("Alarm_bell_ringing", "Cat", "Dishes", "Dog", "Speech")
PAPER = Decoder(rescale_edge=3, smooth=0.44, threshold=0.03, merge_gap=0.2, tags="clip")
DECODERS = {
    "paper (rescaled, threshold 0.03)": PAPER,
    "paper, true tags": replace(PAPER, tags="oracle"),
    "rescaled, threshold 0.2": replace(PAPER, threshold=0.2),
    "rescaled, threshold 0.5": replace(PAPER, threshold=0.5),
    "rescaled, 0.5, true tags": replace(PAPER, threshold=0.5, tags="oracle"),
    "plain 0.5, median 0.2 s": Decoder(median=0.2, threshold=0.5, merge_gap=0.2),
    "plain 0.1, median 0.2 s": Decoder(median=0.2, threshold=0.1, merge_gap=0.2),
}


class Scores:
    """The frame scores of one run and what is true of its clips."""

    def __init__(self, run: Path, truth: dict[str, tuple[tuple[str, float, float], ...]]) -> None:
        saved = np.load(run / "test" / "frame_scores.npz")
        self.labels = [str(name) for name in saved["labels"]]
        self.frames = torch.from_numpy(saved["frame_scores"])
        self.valid, self.rate = torch.from_numpy(saved["valid"]), float(saved["frame_rate"])
        ids = [str(name) for name in saved["clip_ids"]]
        rows = [(i, self.labels.index(c), on, off) for i, name in enumerate(ids) for c, on, off in truth[name]]
        self.truth = Events.of(rows)
        self.tags = torch.zeros(len(ids), len(self.labels), dtype=torch.bool)
        self.tags[self.truth.clip, self.truth.label] = True
        self.clips = self.frames.masked_fill(~self.valid[..., None], 0).amax(1)
        means = (self.frames * self.valid[..., None]).sum(1) / self.valid.sum(1, keepdim=True)
        self.correlation = class_correlation(means)

    def cosine(self, one: str, other: str) -> float:
        """Mean cosine over time of the curves of two classes, on the test clips that hold either."""
        first, second = self.labels.index(one), self.labels.index(other)
        held = self.tags[:, first] | self.tags[:, second]
        unit = torch.nn.functional.normalize(self.frames[held] * self.valid[held][..., None], dim=1)
        return float((unit[:, :, first] * unit[:, :, second]).sum(1).mean())

    def detect(self, decoder: Decoder) -> Events:
        durations = torch.full((len(self.tags),), 10.0, dtype=torch.float64)
        return decoder(
            self.frames, self.rate, valid=self.valid, clip_scores=self.clips, true_tags=self.tags, durations=durations
        )


def spread(values: list[float]) -> str:
    deviation = f" +- {100 * np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{100 * np.mean(values):.1f}{deviation}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--reference", type=Path, required=True, help="the corpus the runs were tested on")
    parser.add_argument("--rows", nargs="+", default=ROWS)
    parser.add_argument("--learning_curve", action="store_true", help="validation scores by epoch, mean over seeds")
    args = parser.parse_args()
    truth = {c.id: c.events or () for c in read_clips(args.reference, "eval/public", "test")}
    systems = {r: [Scores(p.parents[1], truth) for p in done(args.runs, r)] for r in args.rows}
    systems = {row: runs for row, runs in systems.items() if runs}
    print_decodings(systems)
    print_classes(systems)
    print_correlation(systems)
    if args.learning_curve:
        print_learning(args.runs, list(systems))


def done(runs: Path, row: str) -> list[Path]:
    return sorted(runs.glob(f"{row}/seed_*/test/frame_scores.npz"))


def print_decodings(systems: dict[str, list[Scores]]) -> None:
    print("\n| event F1 macro, % | " + " | ".join(f"{r} ({len(s)} seeds)" for r, s in systems.items()) + " |")
    print("|---|" + "---|" * len(systems))
    for name, decoder in DECODERS.items():
        cells = [
            spread([event_counts(s.truth, s.detect(decoder), 10).macro_f1 for s in runs]) for runs in systems.values()
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    each = [
        ", ".join(f"{100 * event_counts(s.truth, s.detect(PAPER), 10).macro_f1:.1f}" for s in runs)
        for runs in systems.values()
    ]
    print("| paper's decoding, seed by seed | " + " | ".join(each) + " |")
    for name, counts in (("segment F1, paper's decoding", segment_counts),):
        cells = [spread([counts(s.truth, s.detect(PAPER), 10).macro_f1 for s in runs]) for runs in systems.values()]
        print(f"| {name} | " + " | ".join(cells) + " |")
    cells = [spread([tag_counts(s.tags, s.clips > 0.5).macro_f1 for s in runs]) for runs in systems.values()]
    print("| tagging F1 | " + " | ".join(cells) + " |")


def print_classes(systems: dict[str, list[Scores]]) -> None:
    for name in ("paper (rescaled, threshold 0.03)", "rescaled, threshold 0.5"):
        print(f"\n| event F1 by class, {name} | " + " | ".join(systems) + " |")
        print("|---|" + "---|" * len(systems))
        found = {
            r: [event_counts(s.truth, s.detect(DECODERS[name]), 10).f1 for s in runs] for r, runs in systems.items()
        }
        labels = next(iter(systems.values()))[0].labels
        for i, label in enumerate(labels):
            print(f"| {label} | " + " | ".join(spread([float(f[i]) for f in f1]) for f1 in found.values()) + " |")
        short = [i for i, label in enumerate(labels) if label in SHORT]
        for group, which in (
            ("five short classes", short),
            ("five long classes", [i for i in range(10) if i not in short]),
        ):
            print(
                f"| {group} | "
                + " | ".join(spread([float(f[which].mean()) for f in f1]) for f1 in found.values())
                + " |"
            )


def print_correlation(systems: dict[str, list[Scores]]) -> None:
    first = next(iter(systems.values()))[0]
    dishes, frying = first.labels.index("Dishes"), first.labels.index("Frying")
    print("\n| of the class scores on the test clips | " + " | ".join(systems) + " |\n|---|" + "---|" * len(systems))
    pair = [spread([float(s.correlation[dishes, frying]) for s in runs]) for runs in systems.values()]
    print("| Dishes/Frying correlation, % | " + " | ".join(pair) + " |")
    each = [", ".join(f"{100 * float(s.correlation[dishes, frying]):.0f}" for s in runs) for runs in systems.values()]
    print("| the same, seed by seed | " + " | ".join(each) + " |")
    cosine = [spread([s.cosine("Dishes", "Frying") for s in runs]) for runs in systems.values()]
    print("| cosine of the Dishes and Frying curves, clips with either, % | " + " | ".join(cosine) + " |")
    mean = [spread([mean_positive_correlation(s.correlation) for s in runs]) for runs in systems.values()]
    print("| mean positive correlation, % | " + " | ".join(mean) + " |")
    minutes = [f"{np.mean([overlap_seconds(s.detect(PAPER), 10) / 60 for s in runs]):.1f}" for runs in systems.values()]
    print(f"| overlap, minutes (truth {overlap_seconds(first.truth, 10) / 60:.1f}) | " + " | ".join(minutes) + " |")


def print_learning(runs: Path, rows: list[str]) -> None:
    names = ("val/event_f1", "val/segment_f1", "val/tagging_f1", "val/loss")
    for row in rows:
        print(f"\n| {row}: epoch | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
        curves = [learning(p.parents[1]) for p in done(runs, row)]
        for epoch in sorted({e for c in curves for e in c}):
            cells = [f"{np.mean([float(c[epoch][n]) for c in curves if epoch in c]):.3f}" for n in names]
            print(f"| {epoch + 1} | " + " | ".join(cells) + " |")


def learning(run: Path) -> dict[int, dict[str, str]]:
    """Rows of the metrics file that hold validation scores, by epoch."""
    found: dict[int, dict[str, str]] = {}
    for file in sorted(run.glob("csv/*/metrics.csv")):
        with file.open() as lines:
            found |= {int(r["epoch"]): r for r in csv.DictReader(lines) if r.get("val/event_f1")}
    return found


if __name__ == "__main__":
    main()
