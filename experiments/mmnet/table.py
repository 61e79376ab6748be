"""The tables of this folder's README from finished runs; nothing is trained.

    python -m experiments.mmnet.table runs [more runs] --reference data/domestic [--rows ...]

Reads `<runs>/<row>/seed_<n>/test/`, the label tables of the corpus and, for class thresholds, `validation/`, which rows
with `tuning` leave and `wsed validate --config RUN/config.yaml --ckpt_path last` writes for others. Mean and standard
deviation over seeds (n - 1). Intervals are 95 % Student t of differences paired by seed.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from wsed.data.corpus.desed_layout import read_clips
from wsed.decoding import grid_thresholds
from wsed.metrics.clips import tag_counts
from wsed.metrics.counts import Counts
from wsed.metrics.tagging import auroc, average_precision, mean_known, ranking_scores
from wsed.study.rows import finished
from wsed.study.table import differences_table, rows_table
from wsed.types import Events

BASE = "resnet"
ROWS = (
    "convnet", "resnet_max", "resnet", "wlat", "slat", "plat", "att", "spda", "mmnet", "mmnet_no_ep", "mmnet_kernel_1",
    "mmnet_ms", "mmnet_paper", "mmnet_paper_mean", "mmnet_paper_scaled", "mmnet_paper_no_ep", "glu_mil", "glu_mil_cos",
    "glu_mil_micro", "glu_mil_micro_cos", "glu_mmnet", "glu_mmnet_cos",
)  # fmt: skip
PAIRS = (
    ("att", "mmnet"), ("slat", "mmnet"), ("mmnet_no_ep", "mmnet"), ("mmnet", "mmnet_ms"), ("mmnet", "mmnet_paper"),
    ("mmnet", "mmnet_paper_mean"), ("mmnet", "mmnet_paper_scaled"), ("mmnet", "mmnet_kernel_1"),
    ("glu_mil", "glu_mil_micro"), ("glu_mil", "glu_mil_cos"), ("glu_mil_cos", "glu_mil_micro_cos"),
    ("glu_mil_micro", "glu_mil_micro_cos"), ("glu_mil", "glu_mmnet"), ("glu_mil_cos", "glu_mmnet_cos"),
    ("glu_mmnet", "glu_mmnet_cos"),
)  # fmt: skip
SPLITS = {"test": ("eval/public", "test"), "validation": ("validation/validation", "validation")}
TRANSIENT = 1.5
"""Seconds: a class is transient if half its test events last no longer; so is a tag, if its class sounds no longer."""
Truth = dict[str, tuple[tuple[str, float, float], ...]]


class Scored:
    """The clip scores of one run on one set of clips, and what is true of them."""

    def __init__(self, folder: Path, truth: Truth) -> None:
        clips = folder / "clip_scores.npz"
        saved = np.load(clips if clips.is_file() else folder / "frame_scores.npz")
        self.labels = [str(name) for name in saved["labels"]]
        self.ids = [str(name) for name in saved["clip_ids"]]
        scores = saved["clip_scores"] if clips.is_file() else saved["frame_scores"].max(1)
        self.scores: Float[Tensor, "clip label"] = torch.from_numpy(scores)
        rows = [(i, self.labels.index(c), on, off) for i, name in enumerate(self.ids) for c, on, off in truth[name]]
        self.truth = Events.of(rows)
        self.seconds = torch.zeros(self.scores.shape, dtype=torch.float64)
        at = self.truth.clip, self.truth.label
        self.lasting = (self.truth.offset - self.truth.onset).mul(1000).round() / 1000  # as the tables have it: in ms
        self.seconds.index_put_(at, self.lasting, accumulate=True)
        self.seconds = self.seconds.round(decimals=3)
        self.tags = self.seconds > 0

    @cached_property
    def durations(self) -> list[np.ndarray]:
        """Seconds of the events of each class."""
        seconds = self.lasting.numpy()
        return [seconds[self.truth.label.numpy() == c] for c in range(len(self.labels))]

    @cached_property
    def transient(self) -> np.ndarray:
        """Classes of which half the events are short."""
        return np.array([np.median(seconds) <= TRANSIENT for seconds in self.durations])

    @cached_property
    def ap(self) -> np.ndarray:
        """Average precision of each class in %."""
        return 100 * average_precision(self.tags, self.scores)

    @property
    def auc(self) -> float:
        return 100 * float(mean_known(ranking_scores(self.tags, self.scores, auroc))[0])


class Run:
    """One run: its scores on the test clips and, where they are there, on the validation clips."""

    def __init__(self, folder: Path, truths: dict[str, Truth]) -> None:
        self.folder, self.seed = folder, folder.name
        self.report = json.loads((folder / "test" / "scores.json").read_text())
        self.test = Scored(folder / "test", truths["test"])
        held = folder / "validation"
        self.held = Scored(held, truths["validation"]) if held.is_dir() else None

    def said(self, tune_on: str = "held_out") -> Tensor | None:
        """The classes of each test clip, above thresholds of each class from the paper's grid."""
        on = self.test if tune_on == "test" else self.held
        if on is None:
            return None
        split = "test" if on is self.test else "validation"
        found = grid_thresholds(on.tags, on.scores, split, setting="tag_threshold").values["tag_threshold"]
        return self.test.scores > torch.tensor(found)

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

    def of_frames(self, *keys: str) -> float:
        """A figure of the events in %, as the run's report has it; NaN of a run that gives none."""
        found = self.report
        for key in keys:
            found = (found or {}).get(key)  # type: ignore[assignment]
        return np.nan if found is None else 100 * float(found)  # type: ignore[arg-type]

    def mean_ap(self, transient: bool | None = None) -> float:
        kept = slice(None) if transient is None else self.test.transient == transient
        return float(np.nanmean(self.test.ap[kept]))


COLUMNS: dict[str, Callable[[Run], float]] = {
    "mAP": Run.mean_ap,
    "AUC": lambda r: r.test.auc,
    "F1": lambda r: r.figure("macro_f1"),
    "R": lambda r: r.figure("macro_recall"),
    "P": lambda r: r.figure("macro_precision"),
    "F1, tuned on test (!)": lambda r: r.f1_tuned_on_test,
    "event F1": lambda r: r.of_frames("event_f1", "macro"),
    "PSDS1": lambda r: r.of_frames("psds1"),
    "PSDS2": lambda r: r.of_frames("psds2"),
}
LENGTHS: dict[str, Callable[[Run], float]] = {
    "AP, transient classes": lambda r: r.mean_ap(True),
    "AP, long classes": lambda r: r.mean_ap(False),
    "transient - long": lambda r: r.mean_ap(True) - r.mean_ap(False),
    f"recall, tags of {TRANSIENT:g} s or less": lambda r: r.recall(True),
    "recall, longer tags": lambda r: r.recall(False),
}


def print_rows(systems: dict[str, list[Run]], columns: dict[str, Callable[[Run], float]]) -> None:
    print(f"\n{rows_table('% (seeds)', systems, columns)}")


def print_differences(systems: dict[str, list[Run]], pairs: Iterable[tuple[str, str]]) -> None:
    """Second row less the first, on the seeds that both have."""
    columns = {k: COLUMNS[k] for k in ("mAP", "AUC", "F1", "R", "event F1", "PSDS2")} | LENGTHS
    values = {
        row: {name: {run.seed: measure(run) for run in runs} for name, measure in columns.items()}
        for row, runs in systems.items()
    }
    print(f"\n{differences_table('points (shared seeds)', values, pairs, list(columns))}")


def systems_of(runs: Sequence[Path], reference: Path, rows: Iterable[str] = ROWS) -> dict[str, list[Run]]:
    """The finished runs of each row, in the order of the rows: of the first folder that has any.

    Another paper's runs, in another folder, may have a row of the same name.
    """
    truths = {split: truth_of(reference, *place) for split, place in SPLITS.items()}
    folders = {row: finished(runs, row) for row in rows}
    return {row: [Run(path, truths) for path in paths] for row, paths in folders.items() if paths}


def truth_of(reference: Path, table: str, split: str) -> Truth:
    return {c.id: c.events or () for c in read_clips(reference, table, split)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs; a row is read of the first that has it")
    parser.add_argument("--reference", type=Path, required=True, help="the corpus the runs were tested on")
    parser.add_argument("--rows", nargs="+", default=list(ROWS))
    args = parser.parse_args()
    systems = systems_of(args.runs, args.reference, args.rows)
    if not systems:
        raise SystemExit(f"no finished run of {', '.join(args.rows)} in {', '.join(map(str, args.runs))}")
    test = next(iter(systems.values()))[0].test
    short = [label for label, is_short in zip(test.labels, test.transient, strict=True) if is_short]
    print(f"transient classes (half the test events last {TRANSIENT:g} s or less): {', '.join(short)}")
    print_rows(systems, COLUMNS)
    print_rows(systems, LENGTHS)
    print_differences(systems, [(BASE, row) for row in systems if row != BASE])
    print_differences(systems, PAIRS)


if __name__ == "__main__":
    main()
