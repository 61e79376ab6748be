"""Metrics by `sed_scores_eval`, from score tables, one per clip, with frames of any length."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from itertools import repeat
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from wsed.errors import WsedError
from wsed.metrics.base import MetricValue
from wsed.metrics.pairs import Columns
from wsed.metrics.psds import PSDSParameters
from wsed.metrics.sweep import ScoreGrid
from wsed.metrics.system import TaggedClips, TimedClips
from wsed.scoring.official.inputs import (
    Classes,
    Inputs,
    Values,
    clashes,
    clip_name,
    f1_of,
    inputs_of,
    of_classes,
    points_of,
)
from wsed.types import Labels
from wsed.values import Scores

if TYPE_CHECKING:
    from pandas import DataFrame

Tables = Mapping[str, "DataFrame"]
Truth = Mapping[str, Sequence[object]]


@runtime_checkable
class FScore(Protocol):
    """A function of the package: F1 by class and its means, then precision and recall."""

    def __call__(self, scores: Tables, ground_truth: Truth, *, threshold: float) -> tuple[Mapping[str, float], ...]: ...


Table = tuple[Float[np.ndarray, " _"], Float[np.ndarray, "_ label"]]
"""Borders of the frames of a clip in seconds, and their scores; frames with -inf are never active."""


def by_sed_scores_eval(
    package: ModuleType,
    detections: TimedClips,
    tags: TaggedClips | None,
    labels: Labels,
    scenarios: Mapping[str, PSDSParameters],
) -> Values:
    """The metrics of `official_metrics`, by `sed_scores_eval`."""
    inputs = inputs_of(detections, labels, "sed_scores_eval")
    events, segments, shares = (
        getattr(package, f"{kind}_based").fscore for kind in ("collar", "segment", "intersection")
    )
    collars = {"onset_collar": 0.2, "offset_collar": 0.2, "offset_collar_rate": 0.2}
    values: Values = {
        "event_f1": _events_f1(inputs, partial(events, **collars)),
        "segment_f1": _events_f1(inputs, partial(segments, segment_length=1.0, audio_durations=None)),
        "intersection_f1": _events_f1(inputs, partial(shares, dtc_threshold=0.5, gtc_threshold=0.5)),
        "tagging_f1": None,
    }
    if tags is not None and tags.predicted is not None:
        values["tagging_f1"] = _tagging_f1(package.clip_based.fscore, tags, labels)
    if inputs.seconds is None or not detections.has_psds:
        return values | dict.fromkeys(scenarios)
    durations = dict(zip(map(clip_name, range(inputs.n_clips)), inputs.seconds.tolist(), strict=True))
    tables, truth = _psds_tables(detections, inputs), _truth(inputs.ref, inputs.n_clips)
    exact = {name: _exact_psds(package, tables, truth, durations, p) for name, p in scenarios.items()}
    return values | {name: None if psds is None else MetricValue({"value": psds}) for name, psds in exact.items()}


def _events_f1(inputs: Inputs, fscore: FScore) -> MetricValue:
    """F1 of events that are passed as scores of the frames between all borders."""
    known, n_clips = inputs.known, inputs.n_clips
    levels = _levels(
        [of_classes(inputs.detected, known)], n_clips, len(inputs.labels), inputs.ref.offset.max(initial=1.0)
    )
    if not known.size or levels is None:
        return f1_of({}, float("nan"), inputs.labels)
    # The package fails for a class whose scores never change, so inactive frames score 0 instead of -inf.
    tables = ((borders, np.maximum(scores, 0.0)) for borders, scores in levels)
    return _f1(fscore, _score_tables(tables, known), _truth(inputs.ref, n_clips), inputs.labels)


def _tagging_f1(fscore: FScore, tags: TaggedClips, labels: Labels) -> MetricValue:
    assert tags.predicted is not None
    true, predicted = (side.bool().cpu().numpy() for side in (tags.true, tags.predicted))
    known = np.flatnonzero(true.any(0))
    if not known.size:
        return f1_of({}, float("nan"), labels)
    tables = zip(repeat(np.array([0.0, 1.0])), predicted[:, None].astype(np.float64), strict=False)
    scores = _score_tables(tables, known)
    truth = {clip_name(i): [str(k) for k in np.flatnonzero(row)] for i, row in enumerate(true)}
    return _f1(fscore, scores, truth, labels)


def _f1(fscore: FScore, scores: Tables, truth: Truth, labels: Labels) -> MetricValue:
    by_name = dict(fscore(scores, truth, threshold=0.5)[0])
    micro = by_name.pop("micro_average")
    del by_name["macro_average"]  # the mean of the others
    return f1_of({int(name): value for name, value in by_name.items()}, micro, labels)


def _exact_psds(
    package: ModuleType, tables: Tables | None, truth: Truth, durations: Mapping[str, float], p: PSDSParameters
) -> float | None:
    """PSDS over all thresholds; None if it cannot be computed exactly."""
    if tables is None or p.decimals is None:
        return None
    if not tables:
        return float("nan")
    n_known = next(iter(tables.values())).shape[1] - 2  # beside the borders of the frames
    alpha_ct = p.alpha_ct if n_known > 1 else 0.0
    value = package.intersection_based.psds(
        tables,
        truth,
        dict(durations),
        dtc_threshold=p.dtc,
        gtc_threshold=p.gtc,
        cttc_threshold=p.cttc if alpha_ct else None,
        alpha_ct=alpha_ct,
        alpha_st=p.alpha_st,
        max_efpr=p.max_efpr,
        time_decimals=p.decimals,
    )
    return float(value[0])


def _psds_tables(detections: TimedClips, inputs: Inputs) -> Tables | None:
    """Score tables of all clips; empty without known classes, None if no scores have these operating points."""
    known, n_labels = inputs.known, len(inputs.labels)
    if not known.size:
        return {}
    end = inputs.ref.offset.max()
    if detections.ranked is not None:
        clips = list(_frames(detections.ranked, inputs.n_clips, n_labels))
    elif (levels := _levels(points_of(detections, inputs), inputs.n_clips, n_labels, end)) is not None:
        clips = levels
    else:
        return None
    return _score_tables([_with_false_alarm(clips, end), *clips[1:]], known)


def _with_false_alarm(clips: Sequence[Table], end: float) -> Table:
    """The first clip with a detection of each class after all events, at a threshold below all others.

    This false alarm is a point below each curve and changes no score. Without it, the package has no curve for a class
    whose counts never change (because nothing is detected, or only parts that are too small to count).
    """
    lowest = min((float(s[s > -np.inf].min(initial=np.inf)) for _, s in clips), default=np.inf)
    borders, scores = clips[0]
    end = max(end, borders[-1]) + 1
    frames = np.full((2, scores.shape[1]), -np.inf)
    frames[1] = np.nextafter(lowest, -np.inf)
    return np.append(borders, [end, end + 1]), np.concatenate([scores, frames])


def _truth(events: Columns, n_clips: int) -> dict[str, list[tuple[float, float, str]]]:
    truth: dict[str, list[tuple[float, float, str]]] = {clip_name(clip): [] for clip in range(n_clips)}
    for clip, label, onset, offset in zip(*(column.tolist() for column in events), strict=True):
        truth[clip_name(clip)].append((onset, offset, str(label)))
    return truth


def _score_tables(clips: Iterable[Table], known: Classes) -> Tables:
    """One data frame per clip, with the known classes."""
    create = import_module("sed_scores_eval.base_modules.scores").create_score_dataframe
    names = [str(k) for k in known]
    return {clip_name(i): create(scores[:, known], borders, names) for i, (borders, scores) in enumerate(clips)}


def _frames(ranked: Scores, n_clips: int, n_labels: int) -> Iterator[Table]:
    """Frame scores of each clip, without padding."""
    grid = ScoreGrid.of(ranked)
    if (grid.scores.shape[0], grid.scores.shape[2]) != (n_clips, n_labels):
        raise WsedError(f"there are {n_clips} clips and {n_labels} labels, but scores {list(grid.scores.shape)}")
    for clip in range(n_clips):
        scores = grid.scores[clip].astype(np.float64)
        if grid.valid is not None:
            scores[~grid.valid[clip]] = -np.inf
        if np.isnan(scores).any():
            raise WsedError(f"the scores of clip {clip} hold NaN")
        real = np.flatnonzero((scores > -np.inf).any(1))
        if real.size:
            yield grid.times[clip, : real[-1] + 2], scores[: real[-1] + 1]
        else:
            yield np.array([0.0, 1.0]), np.full((1, n_labels), -np.inf)


def _levels(points: Sequence[Columns], n_clips: int, n_labels: int, end: float) -> list[Table] | None:
    """Scores whose events at falling thresholds are the operating points: in each frame, the number of active points.

    Frames cover the time from 0 s to `end` seconds or the last event. The result is None if there are no such scores:
    because the active frames of a class at one point are not all active at the next larger point, or because two
    events of a point touch and would be joined.
    """
    if any(clashes(point, touching=True).size for point in points):
        return None
    every = Columns(*(np.concatenate(column) for column in zip(*points, strict=True)))
    point = np.repeat(np.arange(len(points)), [p.clip.size for p in points])
    lengths = [np.bincount(p.label, weights=p.offset - p.onset, minlength=n_labels) for p in points]
    order = np.argsort(np.stack(lengths), axis=0)[:, None]
    by_clip = np.argsort(every.clip, kind="stable")
    bounds = np.searchsorted(every.clip[by_clip], np.arange(n_clips + 1))
    tables = []
    for clip in range(n_clips):
        own = by_clip[bounds[clip] : bounds[clip + 1]]
        table = _nested(every.take(own), point[own], order, end)
        if table is None:
            return None
        tables.append(table)
    return tables


def _nested(
    events: Columns, point: Int[np.ndarray, " event"], order: Int[np.ndarray, "point 1 label"], end: float
) -> Table | None:
    """`_levels` of one clip; `order` sorts the points by size for each class."""
    borders = np.unique(np.concatenate([[0.0, end], events.onset, events.offset]))
    active = np.zeros((order.shape[0], borders.size - 1, order.shape[2]), dtype=np.bool_)
    frames = (np.searchsorted(borders, times).tolist() for times in (events.onset, events.offset))
    for i, label, start, stop in zip(point.tolist(), events.label.tolist(), *frames, strict=True):
        active[i, start:stop, label] = True
    rising = np.take_along_axis(active, order, axis=0)
    if (rising[:-1] & ~rising[1:]).any():
        return None
    count = active.sum(0)
    return borders, np.where(count > 0, count.astype(np.float64), -np.inf)
