"""The tables of the README of this folder, from finished runs: each row with several kinds of tags.

The tags are its own, those of the tagger, the true ones, or none.

    python -m experiments.cosine_penalty.table runs [--root data/domestic] [--rows ...] [--learning-curve]

Reads `runs/<row>/seed_<n>/test/` and the test labels of the corpus that the runs name, or of one of the same kind in
`--root`; nothing is trained. The tags of the paper's system are those of `runs/tagger/seed_0`, above its tuned
thresholds. Mean and standard deviation over seeds (n - 1).
"""

import argparse
import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from experiments.cosine_penalty.readings import MiscountingDecoder
from wsed.data.clip import Clip
from wsed.decoding import Decoder, StepDecoder
from wsed.metrics import class_correlation, event_counts, mean_positive_correlation, overlap_seconds, segment_counts
from wsed.metrics.bootstrap import ClipCounts, clip_counts
from wsed.metrics.clips import tag_counts
from wsed.report.html.learning import training_logs
from wsed.run import RunFolder
from wsed.scoring.formats.run_scores import read_scores
from wsed.scoring.report import Report
from wsed.study.rows import read_recipe
from wsed.study.runs import ScoredClips, by_row, clips_of, finished
from wsed.study.table import columns_table, markdown
from wsed.types import Events, Split

RECIPE = read_recipe(Path(__file__).parent)
BEST = tuple(name for name in RECIPE.rows if name.startswith("best"))
"""Rows that are not in the article, with their own decoders and tags."""
ROWS = tuple(
    name
    for name, row in RECIPE.rows.items()
    if name not in BEST and not name.startswith(("tagger", "baseline")) and row.after is None and row.weights_of is None
)
"""Rows whose scores are decoded here, with the tags of the tagger."""
ONE_NETWORK = ("one_network",)
"""Rows that need no tagger."""
SHORT = ("Alarm_bell_ringing", "Cat", "Dishes", "Dog", "Speech")
PAPER = StepDecoder(rescale_edge=3, smooth=0.44, threshold=0.03, merge_gap=0.2, tags="clip")
PUBLISHED = MiscountingDecoder(rescale_edge=3, smooth=0.44, threshold=0.03, tags="clip")
PLAIN = StepDecoder(median=0.2, threshold=0.5, merge_gap=0.2)
CLIP_SECONDS = 10.0


class Run:
    """The scores of one run and the truth about its clips; `tagger` are the tags of another network."""

    def __init__(
        self, folder: RunFolder, clips: Sequence[Clip], tagger: "dict[str, torch.Tensor] | None", split: Split = "test"
    ) -> None:
        self.folder, self.seed, self.row = folder, folder.path.name, folder.path.parent.name
        self.validated = folder.split("validation").frame_scores.is_file()
        self.report = Report.read(folder.split(split).report)
        self.scored = scored = ScoredClips.read(folder, split, clips, CLIP_SECONDS)
        self.labels, self.scores, self.tags = list(scored.labels), scored.scores, scored.tags
        self.ids, self.durations, self.rate = scored.scores.clip_ids, scored.scores.durations, scored.scores.frame_rate
        self.frames, self.valid = scored.scores.padded()
        self.truth, self.own = scored.truth.events, scored.clip_scores > 0.5
        self.tagger = None if tagger is None else torch.stack([tagger[name] for name in self.ids])
        means = (self.frames * self.valid[..., None]).sum(1) / self.valid.sum(1, keepdim=True)
        self.correlation = class_correlation(means)

    @property
    def reported(self) -> np.ndarray:
        """Event F1 of each class in %, from the report of the run."""
        values = [float(self.report.value(f"event_f1/per_class/{label}/f1")) for label in self.labels]
        return 100 * np.nan_to_num(np.array(values))

    def pair(self, one: str, other: str) -> float:
        return float(self.correlation[self.labels.index(one), self.labels.index(other)])

    def cosine(self, one: str, other: str) -> float:
        """Mean cosine over time of the curves of two classes, on the test clips with one of them."""
        first, second = self.labels.index(one), self.labels.index(other)
        held = self.tags[:, first] | self.tags[:, second]
        unit = torch.nn.functional.normalize(self.frames[held] * self.valid[held][..., None], dim=1)
        return float((unit[:, :, first] * unit[:, :, second]).sum(1).mean())

    def detect(self, tags: torch.Tensor | None, decoder: Decoder = PAPER) -> Events:
        gated = replace(decoder, tags="none" if tags is None else "oracle")
        return gated(self.scores, tags).events

    def event_f1(self, tags: torch.Tensor | None, decoder: Decoder = PAPER) -> float:
        return event_counts(self.truth, self.detect(tags, decoder), len(self.labels)).macro_f1

    @property
    def system_tags(self) -> torch.Tensor:
        """The tags of the tagger, if there is one and the row needs it; otherwise those of the run."""
        return self.own if self.tagger is None or self.row in ONE_NETWORK else self.tagger


def counts_by_clip(run: Run, decoder: Decoder = PAPER) -> ClipCounts:
    """Counts of the events in each clip, with the tags of the system."""
    return clip_counts(event_counts, run.truth, run.detect(run.system_tags, decoder), len(run.ids), len(run.labels))


def f1_by_class(run: Run, decoder: Decoder = PAPER) -> np.ndarray:
    """Event F1 of each class, with the tags of the system."""
    return np.asarray(event_counts(run.truth, run.detect(run.system_tags, decoder), len(run.labels)).f1)


def read_tagger(runs: Path, split: Split = "test") -> tuple[dict[str, torch.Tensor], float] | None:
    """Tags of each clip by the tagger above its tuned thresholds, and their macro F1 on the test clips."""
    run = RunFolder(runs / "tagger" / "seed_0")
    if not run.split(split).clip_scores.is_file():
        return None
    _, scores = read_scores(run.split(split).path, CLIP_SECONDS)
    report = Report.read(run.split("test").report)
    assert scores.clip_scores is not None
    tags = scores.clip_scores > torch.tensor(report["decoder"]["tag_threshold"])
    return dict(zip(scores.clip_ids, tags, strict=True)), float(report.value("tagging_f1/macro"))


def print_table(title: str, systems: dict[str, list[Run]], lines: dict[str, Callable[[Run], float]]) -> None:
    """A line per measure, a column per row, in %."""
    percent = {name: (lambda run, value=value: 100 * value(run)) for name, value in lines.items()}
    print(f"\n{columns_table(title, systems, percent)}")


def print_all(systems: dict[str, list[Run]]) -> None:
    first = next(iter(systems.values()))[0]
    labels = first.labels
    lines: dict[str, Callable[[Run], float]] = {
        "event F1, the system's tags": lambda r: r.event_f1(r.system_tags),
        "its own tags (above 0.5)": lambda r: r.event_f1(r.own),
        "the true tags (oracle)": lambda r: r.event_f1(r.tags),
        "no tags": lambda r: r.event_f1(None),
        "segment F1, the system's tags": lambda r: segment_counts(r.truth, r.detect(r.system_tags), 10).macro_f1,
        "tagging F1, its own tags": lambda r: tag_counts(r.tags, r.own).macro_f1,
        "no gap closed": lambda r: r.event_f1(r.system_tags, replace(PAPER, merge_gap=0.0)),
        "the published decoder": lambda r: r.event_f1(r.system_tags, PUBLISHED),
        "hysteresis 0.05, 0.2": lambda r: r.event_f1(r.system_tags, replace(PAPER, low=0.05, threshold=0.2)),
        "threshold 0.003": lambda r: r.event_f1(r.system_tags, replace(PAPER, threshold=0.003)),
        "threshold 0.01": lambda r: r.event_f1(r.system_tags, replace(PAPER, threshold=0.01)),
        "threshold 0.2": lambda r: r.event_f1(r.system_tags, replace(PAPER, threshold=0.2)),
        "threshold 0.5": lambda r: r.event_f1(r.system_tags, replace(PAPER, threshold=0.5)),
        "not rescaled, 0.5, median 0.2 s, no tags": lambda r: r.event_f1(None, PLAIN),
    }
    print_table("%", systems, lines)
    best = [f"{100 * max(r.event_f1(r.system_tags) for r in runs):.1f}" for runs in systems.values()]
    print("| best seed | " + " | ".join(best) + " |")
    f1 = {id(r): f1_by_class(r) for runs in systems.values() for r in runs}
    by_class: dict[str, Callable[[Run], float]] = {
        label: (lambda r, i=i: float(f1[id(r)][i])) for i, label in enumerate(labels)
    }
    for name, short in (("five short classes", True), ("five long classes", False)):
        which = [i for i, label in enumerate(labels) if (label in SHORT) == short]
        if len(which) == len(labels) or not which:
            continue  # another corpus
        by_class[name] = lambda r, which=which: float(f1[id(r)][which].mean())
    print_table("event F1 by class, %", systems, by_class)
    together: dict[str, Callable[[Run], float]] = {
        "mean positive correlation": lambda r: mean_positive_correlation(r.correlation)
    }
    if {"Dishes", "Frying"} <= set(labels):
        together["Dishes/Frying correlation"] = lambda r: r.pair("Dishes", "Frying")
        together["cosine of their curves, clips with either"] = lambda r: r.cosine("Dishes", "Frying")
    print_table("of mean scores, %", systems, together)
    print(f"\none event over the whole clip for each true tag: {100 * whole_clips(first):.1f} %")
    print(f"\noverlap of events of different classes, minutes (truth {overlap_seconds(first.truth, 10) / 60:.2f}):")
    for row, runs in systems.items():
        minutes = [overlap_seconds(r.detect(r.system_tags), 10) / 60 for r in runs]
        oracle = [overlap_seconds(r.detect(r.tags), 10) / 60 for r in runs]
        told = [f"{np.mean(m):.2f} +- {np.std(m, ddof=1 if len(m) > 1 else 0):.2f}" for m in (minutes, oracle)]
        print(f"  {row}: {told[0]}, with the true tags {told[1]}")


def whole_clips(run: Run) -> float:
    """Event F1 of what knows the tags and nothing of time."""
    clip, label = run.tags.nonzero(as_tuple=True)
    seconds = run.durations[clip]
    said = Events(clip, label, torch.zeros_like(seconds), seconds, torch.ones_like(seconds))
    return event_counts(run.truth, said, len(run.labels)).macro_f1


def print_learning(runs: Path, rows: list[str]) -> None:
    names = ("val/event_f1", "val/segment_f1", "val/tagging_f1", "val/loss")
    for row in rows:
        curves = [learning(run.path) for run in finished(runs, row)]
        epochs = sorted({epoch for curve in curves for epoch in curve})
        means = ([np.mean([float(c[epoch][n]) for c in curves if epoch in c]) for n in names] for epoch in epochs)
        lines = (
            [str(epoch + 1), *(f"{value:.3f}" for value in line)] for epoch, line in zip(epochs, means, strict=True)
        )
        print(f"\n{markdown([f'{row}: epoch', *names], lines)}")


def learning(run: Path) -> dict[int, dict[str, str]]:
    """Rows of the metrics file that hold validation scores, by epoch; `wsed validate` adds one of step 0."""
    found: dict[int, dict[str, str]] = {}
    for file in training_logs(run):
        with file.open() as lines:
            found |= {int(r["epoch"]): r for r in csv.DictReader(lines) if r.get("val/event_f1") and int(r["step"])}
    return found


def systems_of(runs: Path, root: Path | None, rows: Sequence[str] = ROWS) -> dict[str, list[Run]]:
    """The finished runs of each row, with the tagger's tags."""
    found, tagger = by_row(runs, rows), read_tagger(runs)
    if not found:
        return {}
    clips = clips_of(next(iter(found.values()))[0], "test", root)
    if tagger is not None:
        print(f"tagger: F1 {100 * tagger[1]:.1f} %")
    tags = tagger[0] if tagger else None
    return {row: [Run(folder, clips, tags) for folder in folders] for row, folders in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--root", type=Path, help="the corpus of the runs, if it has moved")
    parser.add_argument("--rows", nargs="+", default=list(ROWS))
    parser.add_argument("--learning-curve", action="store_true", help="also validation scores by epoch")
    args = parser.parse_args()
    systems = systems_of(args.runs, args.root, args.rows)
    if not systems:
        raise SystemExit(f"no finished run of {', '.join(args.rows)} in {args.runs}")
    print_all(systems)
    if args.learning_curve:
        print_learning(args.runs, list(systems))


if __name__ == "__main__":
    main()
