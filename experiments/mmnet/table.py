"""The tables of this folder's README from finished runs; nothing is trained.

    python -m experiments.mmnet.table runs [more runs] [--root data/domestic] [--rows ...]

Reads `<runs>/<row>/seed_<n>/test/`, the label tables of the corpus that the runs name (or of one of the same kind in
`--root`; clips that have tags only give no durations) and, for class thresholds, `validation/`, which rows
with `tuning` leave and `wsed validate --config RUN/config.yaml --ckpt_path last` writes for others. Mean and standard
deviation over seeds (n - 1). Differences are paired by seed; their 95 % intervals are over seeds and the recordings in
the test clips, or over seeds alone if the corpus does not name its recordings.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from wsed.data.clip import Clip
from wsed.decoding import grid_thresholds
from wsed.metrics.bootstrap import ClipCounts, Statistic
from wsed.metrics.clips import tag_counts
from wsed.metrics.counts import Counts
from wsed.metrics.tagging import Ranking, ap, auroc, average_precision, mean_known, ranking_scores
from wsed.run import RunFolder
from wsed.scoring.report import Report
from wsed.study.drawn import Drawn
from wsed.study.measures import MeasuredRun, in_points
from wsed.study.numbers import RESAMPLES, Numbers, Recordings
from wsed.study.rows import read_recipe
from wsed.study.runs import ScoredClips, by_row, clips_of, root_of
from wsed.study.table import rows_table
from wsed.types import Split

RECIPE = read_recipe(Path(__file__).parent)
ROWS = (*RECIPE.rows, *RECIPE.borrowed)
BASE = "resnet"
TRANSIENT, CLIP_SECONDS = 1.5, 10.0
"""Seconds: a class is transient if half its test events last no longer; so is a tag, if its class sounds no longer."""


class Scored(ScoredClips):
    """The clip scores of one run on one set of clips, and how long the events in them last."""

    @cached_property
    def lasting(self) -> Tensor:
        """Seconds of each event, to the millisecond, as the tables have them."""
        return (self.truth.events.offset - self.truth.events.onset).mul(1000).round() / 1000

    @cached_property
    def seconds(self) -> Float[Tensor, "clip label"]:
        """Seconds of each class in each clip."""
        seconds = torch.zeros(self.tags.shape, dtype=torch.float64)
        at = self.truth.events.clip, self.truth.events.label
        return seconds.index_put_(at, self.lasting, accumulate=True).round(decimals=3)

    @cached_property
    def durations(self) -> list[np.ndarray]:
        """Seconds of the events of each class."""
        seconds, label = self.lasting.numpy(), self.truth.events.label.numpy()
        return [seconds[label == c] for c in range(len(self.labels))]

    @cached_property
    def transient(self) -> np.ndarray:
        """Classes of which half the events are short."""
        return np.array([len(seconds) > 0 and np.median(seconds) <= TRANSIENT for seconds in self.durations])

    @cached_property
    def ap(self) -> np.ndarray:
        """Average precision of each class in %."""
        return 100 * average_precision(self.tags, self.clip_scores)

    @property
    def auc(self) -> float:
        return 100 * float(mean_known(ranking_scores(self.tags, self.clip_scores, auroc))[0])


class Run:
    """One run: its scores on the test clips and, where they are there, on the validation clips."""

    def __init__(self, folder: RunFolder, clips: Mapping[Split, Sequence[Clip]]) -> None:
        self.folder, self.seed = folder, folder.path.name
        self.report = Report.read(folder.split("test").report)
        self.test = Scored.read(folder, "test", clips["test"], CLIP_SECONDS)
        validated = folder.split("validation").scores.is_file()
        self.held = Scored.read(folder, "validation", clips["validation"], CLIP_SECONDS) if validated else None

    def said(self, tune_on: str = "held_out") -> Tensor | None:
        """The classes of each test clip, above thresholds of each class from the paper's grid."""
        on = self.test if tune_on == "test" else self.held
        if on is None:
            return None
        split = "test" if on is self.test else "validation"
        found = grid_thresholds(on.tags, on.clip_scores, split, setting="tag_threshold").values["tag_threshold"]
        return self.test.clip_scores > torch.tensor(found)

    @cached_property
    def counts(self) -> Counts | None:
        said = self.said()
        return None if said is None else tag_counts(self.test.tags, said)

    def figure(self, name: str) -> float:
        """A macro figure of tagging with thresholds from the validation clips, in %."""
        return np.nan if self.counts is None else 100 * getattr(self.counts, name)

    @property
    def f1_tuned_on_test(self) -> float:
        said = self.said("test")
        assert said is not None
        return 100 * tag_counts(self.test.tags, said).macro_f1

    def recall(self, short: bool) -> float:
        """Share of the tags found, in %, of those whose class sounds for a short time in the clip, or of the others."""
        said, seconds = self.said(), self.test.seconds
        which = self.test.tags & ((seconds <= TRANSIENT) == short)
        return np.nan if said is None else 100 * float(said[which].double().mean())

    def reported(self, path: str) -> float:
        """A figure of the events in %, as the run's report has it; NaN of a run that gives none."""
        return 100 * self.report.value(path, np.nan)

    def mean_ap(self, transient: bool | None = None) -> float:
        kept = slice(None) if transient is None else self.test.transient == transient
        known = self.test.ap[kept][~np.isnan(self.test.ap[kept])]
        return float(known.mean()) if len(known) else np.nan


COLUMNS: dict[str, Callable[[Run], float]] = {
    "mAP": Run.mean_ap,
    "AUC": lambda r: r.test.auc,
    "F1": lambda r: r.figure("macro_f1"),
    "R": lambda r: r.figure("macro_recall"),
    "P": lambda r: r.figure("macro_precision"),
    "F1, tuned on test (!)": lambda r: r.f1_tuned_on_test,
    "event F1": lambda r: r.reported("event_f1/macro"),
    "PSDS1": lambda r: r.reported("psds1"),
    "PSDS2": lambda r: r.reported("psds2"),
}
LENGTHS: dict[str, Callable[[Run], float]] = {
    "AP, transient classes": lambda r: r.mean_ap(True),
    "AP, long classes": lambda r: r.mean_ap(False),
    "transient - long": lambda r: r.mean_ap(True) - r.mean_ap(False),
    f"recall, tags of {TRANSIENT:g} s or less": lambda r: r.recall(True),
    "recall, longer tags": lambda r: r.recall(False),
}


COLUMN_OF = {
    "map": "mAP",
    "auc": "AUC",
    "f1": "F1",
    "recall": "R",
    "precision": "P",
    "event_f1": "event F1",
    "transient_less_long_ap": "transient - long",
}
"""The columns that the claims of the recipe are about."""


def statistics(run: Run) -> dict[str, Statistic]:
    """The columns of a run that can be drawn again, in points, as functions of the weights of its test clips."""
    test, short = run.test, run.test.transient
    transient, long, less, *recalls = LENGTHS
    of_short, of_long = _mean(test, ap, short), _mean(test, ap, ~short)
    columns = {"mAP": _mean(test, ap), "AUC": _mean(test, auroc), transient: of_short, long: of_long}
    columns[less] = lambda weights: of_short(weights) - of_long(weights)
    if (said := run.said()) is not None:
        counts = ClipCounts(*(part.numpy().astype(np.int64) for part in (said & test.tags, test.tags, said)))
        columns |= {"F1": in_points(counts.statistic("f1")), "R": in_points(counts.statistic("recall"))}
        columns["P"] = in_points(counts.statistic("precision"))
        for name, is_short in zip(recalls, (True, False), strict=True):
            which = test.tags & ((test.seconds <= TRANSIENT) == is_short)
            columns[name] = _share((said & which).sum(1).numpy(), which.sum(1).numpy())
    events = MeasuredRun(run.folder, run.report, test).statistic("event_f1/macro")
    return columns if events is None else columns | {"event F1": events}


def _mean(test: Scored, ranking: Ranking, kept: np.ndarray | slice = slice(None)) -> Statistic:
    """The mean of a ranking score over classes."""
    return lambda weights: 100 * mean_known(ranking_scores(test.tags, test.clip_scores, ranking, weights)[:, kept])


def _share(hits: np.ndarray, every: np.ndarray) -> Statistic:
    """The share of hits in %; hits and all are counted per clip."""
    return lambda weights: 100 * (weights @ hits) / np.maximum(weights @ every, 1e-9)


def drawn_of(systems: dict[str, list[Run]], root: Path | None, resamples: int) -> Drawn:
    """The columns of all runs, with draws of the recordings in the test clips if the corpus names them."""
    first = next(iter(systems.values()))[0]
    clips = {clip.id: clip for clip in clips_of(first.folder, "test", root)}
    where = root or root_of(first.folder)
    recordings = Recordings.of(where, clips, first.test.scores.clip_ids, RECIPE.groups, resamples)
    columns = COLUMNS | LENGTHS

    def numbers(run: Run) -> Numbers:
        drawn = {} if recordings.groups is None else recordings.draw(statistics(run), run.test.scores.clip_ids)
        return Numbers({name: measure(run) for name, measure in columns.items()}, drawn)

    return Drawn({row: {run.seed: numbers(run) for run in runs} for row, runs in systems.items()}, recordings)


def print_rows(systems: dict[str, list[Run]], columns: dict[str, Callable[[Run], float]]) -> None:
    print(f"\n{rows_table('% (seeds)', systems, columns)}")


def print_differences(drawn: Drawn, pairs: Iterable[tuple[str, str]]) -> None:
    """Second row minus first, on the seeds that both have."""
    columns = ["mAP", "AUC", "F1", "R", "event F1", "PSDS2", *LENGTHS]
    print(f"\n{drawn.differences('points (shared seeds)', pairs, columns)}")


def print_claims(drawn: Drawn) -> None:
    """Print what the intervals are over, and the verdicts on the claims of the recipe."""
    print(f"\n{drawn.sentence([*COLUMNS, *LENGTHS])}\n\n{drawn.claims(RECIPE.claims, COLUMN_OF)}")


def systems_of(runs: Sequence[Path], root: Path | None, rows: Iterable[str] = ROWS) -> dict[str, list[Run]]:
    """The finished runs of each row, in the order of the rows: of the first folder that has any."""
    found, splits = by_row(runs, rows), ("test", "validation")
    first = next((folders[0] for folders in found.values()), None)
    clips = {} if first is None else {split: clips_of(first, split, root) for split in splits}
    return {row: [Run(folder, clips) for folder in folders] for row, folders in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs; a row is read of the first that has it")
    parser.add_argument("--root", type=Path, help="the corpus of the runs, if it has moved")
    parser.add_argument("--rows", nargs="+", default=list(ROWS))
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="draws of the groups (default: %(default)s)")
    args = parser.parse_args()
    systems = systems_of(args.runs, args.root, args.rows)
    if not systems:
        raise SystemExit(f"no finished run of {', '.join(args.rows)} in {', '.join(map(str, args.runs))}")
    test, drawn = next(iter(systems.values()))[0].test, drawn_of(systems, args.root, args.resamples)
    if not len(test.truth.events):
        print_rows(systems, COLUMNS)
        print_claims(drawn)
        return
    short = [label for label, is_short in zip(test.labels, test.transient, strict=True) if is_short]
    print(f"transient classes (half the test events last {TRANSIENT:g} s or less): {', '.join(short)}")
    print_rows(systems, COLUMNS)
    print_rows(systems, LENGTHS)
    print_differences(drawn, [(BASE, row) for row in systems if row != BASE])
    print_differences(drawn, RECIPE.pairs())
    print_claims(drawn)


if __name__ == "__main__":
    main()
