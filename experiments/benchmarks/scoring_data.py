"""The data that `scoring.py` scores, and calls of the other libraries on the same data in their own formats.

The DESED 2021 baseline contains the reference, detections and 50 operating points, but no frame scores. These are
simulated as smooth random curves that rise during events.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from wsed.metrics import Counts
from wsed.metrics.psds import PSDSParameters
from wsed.types import Events
from wsed.values import Scores

FRAME_RATE, CLIPS, FRAMES, LABELS = 15.625, 1168, 156, 10
Row = tuple[int, int, float, float]


class Desed(NamedTuple):
    """Rows (clip, label, onset, offset) of the reference, of one threshold (0.5) and of 50; seconds a clip."""

    clips: list[str]
    labels: list[str]
    durations: list[float]
    reference: list[Row]
    estimated: list[Row]
    points: list[list[Row]]


def desed(folder: Path) -> Desed:
    """The files of the baseline; empty rows (clips without events) are left out."""
    durations = {r["filename"]: float(r["duration"]) for r in _table(folder / "validation_durations.tsv", "\t")}
    clips = {name: i for i, name in enumerate(durations)}
    truth = _table(folder / "validation.tsv", "\t")
    labels = sorted({r["event_label"] for r in truth})

    def rows(table: list[dict[str, str]]) -> list[Row]:
        times = ((float(r["onset"]), float(r["offset"])) for r in table)
        return [(clips[r["filename"]], labels.index(r["event_label"]), *t) for r, t in zip(table, times, strict=True)]

    files = sorted((folder / "predictions_operating_points").iterdir())
    return Desed(
        list(clips),
        labels,
        list(durations.values()),
        rows(truth),
        rows(_table(folder / "predictions0.5.csv", ",")),
        [rows(_table(path, "\t")) for path in files],
    )


def _table(path: Path, delimiter: str) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [r for r in csv.DictReader(file, delimiter=delimiter) if r.get("event_label", "-")]


class Made(NamedTuple):
    """Scores [clip frame label], reference rows, seconds a clip."""

    scores: torch.Tensor
    rows: list[Row]
    durations: torch.Tensor

    @property
    def given(self) -> tuple[Scores, Events]:
        """The arguments of `psds_from_scores`."""
        return Scores.of_padded(self.scores, FRAME_RATE, durations=self.durations), Events.of(self.rows)


def made(n_clips: int, n_labels: int, events_a_clip: float, seed: int = 0) -> Made:
    """Every label in some clip; events of one label in one clip do not touch."""
    rng, length = np.random.default_rng(seed), FRAMES / FRAME_RATE
    cells = {(label % n_clips, label) for label in range(n_labels)}
    for clip in range(n_clips):
        cells |= {(clip, int(label)) for label in rng.integers(0, n_labels, rng.poisson(events_a_clip))}
    start = rng.uniform(0, length - 1, len(cells))
    stop = np.minimum(start + 0.25 + rng.exponential(2.0, len(cells)), length)
    rows = [(c, k, round(a, 3), round(b, 3)) for (c, k), a, b in zip(sorted(cells), start, stop, strict=True)]
    scores = np.empty((n_clips, FRAMES, n_labels), dtype=np.float32)
    for label in range(n_labels):
        walk = np.cumsum(rng.standard_normal((n_clips, FRAMES + 5), dtype=np.float32), axis=1)
        scores[:, :, label] = 0.55 * (walk[:, 5:] - walk[:, :-5]) - 4
    for clip, label, a, b in rows:
        scores[clip, int(a * FRAME_RATE) : int(b * FRAME_RATE) + 1, label] += rng.uniform(1, 6)
    return Made(torch.from_numpy(scores).sigmoid_(), rows, torch.full((n_clips,), length, dtype=torch.float64))


class SedEval:
    """`sed_eval` on lists of dicts, one pair of lists a clip; they are made beforehand and not timed."""

    def __init__(self, data: Desed) -> None:
        import sed_eval

        self.module, self.labels = sed_eval.sound_event, data.labels
        clips: dict[int, tuple[list[Any], list[Any]]] = {}
        for side, rows in enumerate((data.reference, data.estimated)):
            for clip, label, onset, offset in rows:
                item = {"event_label": data.labels[label], "onset": onset, "offset": offset}
                clips.setdefault(clip, ([], []))[side].append(item | {"filename": data.clips[clip]})
        self.clips = list(clips.values())

    def events(self) -> dict[str, Any]:
        metric = self.module.EventBasedMetrics(
            self.labels, t_collar=0.2, percentage_of_length=0.2, empty_system_output_handling="zero_score"
        )
        return self._fed(metric)

    def segments(self) -> dict[str, Any]:
        metric = self.module.SegmentBasedMetrics(self.labels, time_resolution=1.0)
        metric.empty_system_output_handling = "zero_score"  # its constructor does not take it
        return self._fed(metric)

    def _fed(self, metric: Any) -> dict[str, Any]:
        """Macro, micro and class-wise results."""
        for true, said in self.clips:
            metric.evaluate(true, said)
        return metric.results()

    def difference(self, counts: Counts, results: dict[str, Any]) -> float:
        """The largest one of counts (which must not differ at all) and F1: class-wise, macro and micro."""
        mine = [*counts.n_ref, *counts.n_sys, *counts.f1, counts.macro_f1, counts.micro_f1]
        by_class = [results["class_wise"][label] for label in self.labels]
        theirs = [c["count"][side] for side in ("Nref", "Nsys") for c in by_class]
        theirs += [c["f_measure"]["f_measure"] for c in by_class]
        theirs += [results[key]["f_measure"]["f_measure"] for key in ("class_wise_average", "overall")]
        return float(np.abs(np.array(mine) - np.array(theirs)).max())


def decoded_by_loop(
    scores: np.ndarray, thresholds: Sequence[float], frames: int, filter_once: bool
) -> dict[float, Any]:
    """A DataFrame of events for each threshold: clip by clip, median filter, threshold, DataFrame.

    Baselines filter what is above each threshold; `filter_once` filters the scores, once a clip, to the same end.
    """
    import pandas as pd
    from scipy.ndimage import median_filter

    tables: dict[float, list[Any]] = {threshold: [] for threshold in thresholds}
    for clip, curves in enumerate(scores):
        smooth = median_filter(curves, size=(frames, 1)) if filter_once else curves
        for threshold in thresholds:
            active = smooth > threshold
            if not filter_once:
                active = median_filter(active, size=(frames, 1))
            rows = []
            for label in range(active.shape[1]):
                edges = np.flatnonzero(np.diff(active[:, label], prepend=False, append=False))
                rows += [(label, a / FRAME_RATE, b / FRAME_RATE) for a, b in edges.reshape(-1, 2).tolist()]
            table = pd.DataFrame(rows, columns=["event_label", "onset", "offset"])
            table["filename"] = clip
            tables[threshold].append(table)
    return {threshold: pd.concat(parts, ignore_index=True) for threshold, parts in tables.items()}


class PsdsEval:
    """`psds_eval` on DataFrames, which are made beforehand and not timed."""

    def __init__(self, data: Desed) -> None:
        import pandas as pd
        import psds_eval

        def frame(rows: list[Row]) -> Any:
            named = [(data.clips[c], a, b, data.labels[k]) for c, k, a, b in rows]
            return pd.DataFrame(named, columns=["filename", "onset", "offset", "event_label"])

        self.module = psds_eval
        self.truth, self.points = frame(data.reference), [frame(rows) for rows in data.points]
        self.metadata = pd.DataFrame({"filename": data.clips, "duration": data.durations})

    def psds(self, p: PSDSParameters) -> float:
        metric = self.module.PSDSEval(
            p.dtc, p.gtc, p.cttc or 0.3, ground_truth=self.truth, metadata=self.metadata
        )  # without a weight of cross triggers, their tolerance has no effect
        for table in self.points:
            metric.add_operating_point(table)
        return float(metric.psds(p.alpha_ct, p.alpha_st, p.max_efpr).value)


class SedScoresEval:
    """`sed_scores_eval` on the same scores; its tables are made beforehand and not timed."""

    def __init__(self, data: Made) -> None:
        from sed_scores_eval import intersection_based
        from sed_scores_eval.base_modules.scores import create_score_dataframe

        self.module = intersection_based
        times = np.arange(FRAMES + 1) / FRAME_RATE
        names = [str(i) for i in range(data.scores.shape[2])]
        clips = [f"{i:05d}" for i in range(len(data.scores))]
        self.truth: dict[str, list[tuple[float, float, str]]] = {clip: [] for clip in clips}
        for clip, label, onset, offset in data.rows:
            self.truth[clips[clip]].append((onset, offset, str(label)))
        pairs = zip(clips, data.scores.double().numpy(), strict=True)
        self.scores = {clip: create_score_dataframe(scores, times, names) for clip, scores in pairs}
        self.seconds = dict(zip(clips, data.durations.tolist(), strict=True))

    def psds(self, p: PSDSParameters) -> float:
        return float(self.module.psds(self.scores, self.truth, self.seconds, **_weights(p))[0])

    def deltas(self, p: PSDSParameters) -> Any:
        """What its bootstrap starts from, as ours does from a `PSDSTable`."""
        statistics = self.module.intermediate_statistics
        return statistics.intermediate_statistics_deltas(self.scores, self.truth, **_shares(p))

    def resamples(self, p: PSDSParameters, deltas: Any, folds: int) -> list[float]:
        """PSDS with each of `folds` parts of the clips left out."""
        given = {"deltas": deltas, "n_folds": folds, "n_iterations": 1, **_weights(p)}
        return list(self.module.bootstrapped_psds(None, self.truth, self.seconds, **given)[0])

    def first_fold(self, deltas: Any, folds: int) -> np.ndarray:
        """The weights of the clips in the first of these resamples."""
        clips = sorted(deltas)
        np.random.RandomState(0).shuffle(clips)
        weights = np.ones((1, len(clips)))
        weights[0, [int(clip) for clip in clips[: len(clips) // folds]]] = 0
        return weights


def _shares(p: PSDSParameters) -> dict[str, Any]:
    return {"dtc_threshold": p.dtc, "gtc_threshold": p.gtc, "cttc_threshold": p.cttc if p.alpha_ct else None}


def _weights(p: PSDSParameters) -> dict[str, Any]:
    return {"alpha_ct": p.alpha_ct, "alpha_st": p.alpha_st, "max_efpr": p.max_efpr, **_shares(p)}
