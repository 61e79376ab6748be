"""Changes of hits and false alarms as the threshold falls, from frame scores or from operating points.

In both cases, each detection exists for a range of thresholds. Whether it is a false alarm does not depend on other
detections, so each is compared with the reference once (`share`) and counted when it appears and when it ends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import WsedError
from wsed.metrics.intersection import Criteria, Shared, share, summed
from wsed.metrics.nested import Counted, changes_of_nested, partly_covered
from wsed.metrics.pairs import Columns
from wsed.metrics.roc import Changes
from wsed.metrics.runs import Runs, run_changes, runs
from wsed.values import Scores

MANY = 16
"""Mean number of events per run above which no pairs of runs and events are formed: see `wsed.metrics.nested`."""

BLOCK_FRAMES, BLOCK_LABELS = 1 << 18, 16
"""Frames of one label, and labels of the scores, that are computed at a time so that they fit into the cache."""


@dataclass(frozen=True)
class ScoreGrid:
    """Scores of all clips as one array; frames that are not `valid` are padding."""

    scores: Float[np.ndarray, "clip frame label"]
    times: Float[np.ndarray, "clip bound"]
    valid: Bool[np.ndarray, "clip frame"] | None

    @staticmethod
    def of(scores: Scores) -> "ScoreGrid":
        """The frame scores of clips of any length; a `WsedError` if there are none."""
        table, valid = scores.padded()
        real = None if scores.is_full else valid.cpu().numpy()
        return ScoreGrid(as_array(table), _borders(scores, table.shape[1]), real)

    def labels(self) -> Iterator[Float[np.ndarray, "clip frame"]]:
        """Iterate over the scores of each label."""
        for low in range(0, self.scores.shape[2], BLOCK_LABELS):
            part = np.array(self.scores[:, :, low : low + BLOCK_LABELS].transpose(2, 0, 1), order="C")  # always a copy
            if self.valid is not None:
                part[:, ~self.valid] = -np.inf
            if np.isnan(part).any():
                raise WsedError(f"the scores of clip {int(np.argwhere(np.isnan(part))[0, 1])} hold NaN")
            yield from part

    def label(self, label: int) -> Float[np.ndarray, "clip frame"]:
        """The scores of one label, a copy."""
        return next(ScoreGrid(self.scores[:, :, label : label + 1], self.times, self.valid).labels())


def as_array(scores: Float[Tensor, "*any"]) -> Float[np.ndarray, "*any"]:
    """Scores as an array of at least single precision; numpy has no bfloat16.

    >>> as_array(torch.tensor([0.5], dtype=torch.bfloat16)).dtype
    dtype('float32')
    """
    half = scores.dtype in (torch.float16, torch.bfloat16)
    array: Float[np.ndarray, "*any"] = (scores.float() if half else scores).detach().cpu().numpy()
    return array


class Swept(NamedTuple):
    """Changes of one label.

    Attributes:
        changes: None for a label without reference events.
        certain: clips that have a false alarm at every threshold left out; None if no threshold was left out.
    """

    changes: Changes | None
    certain: Bool[np.ndarray, " clip"] | None = None


def changes_of_scores(grid: ScoreGrid, ref: Columns, criteria: Criteria, enough: int) -> Iterator[Swept]:
    """Changes of each label; thresholds that are certain to have more than `enough` false alarms are left out."""
    in_label = np.bincount(ref.label, minlength=grid.scores.shape[2])
    for label, curves in enumerate(grid.labels()):
        if in_label[label]:
            curves, certain = _above_certain_alarms(curves, ref.clip[ref.label == label], enough)
            yield Swept(_changes_of_label(curves, grid.times, label, ref, grid.scores.shape[2], criteria), certain)
        else:
            yield Swept(None)


def all_changes(grid: ScoreGrid, ref: Columns, criteria: Criteria, label: int) -> Changes:
    """Changes of one label with reference events, over all thresholds."""
    return _changes_of_label(grid.label(label), grid.times, label, ref, grid.scores.shape[2], criteria)


def _changes_of_label(
    curves: Float[np.ndarray, "clip frame"],
    times: Float[np.ndarray, "clip bound"],
    label: int,
    ref: Columns,
    n_labels: int,
    criteria: Criteria,
) -> Changes:
    false, hits = counted_of_label(curves, times, label, ref, n_labels, criteria)
    return Changes.of(*false, *hits)


def counted_of_label(
    curves: Float[np.ndarray, "clip frame"],
    times: Float[np.ndarray, "clip bound"],
    label: int,
    ref: Columns,
    n_labels: int,
    criteria: Criteria,
) -> tuple[Counted, Counted]:
    """Changes of false alarms `(score, clip * kinds + kind, amount)` and of hits `(score, clip, amount)` of one label.

    Args:
        curves: scores of the label.
        times: borders of the frames in seconds.
        label: the label.
        ref: reference events, sorted by `sort_reference`.
        n_labels: size of the label axis.
        criteria: shares that must be reached.
    """
    n_clips, n_frames = curves.shape
    ref = ref if criteria.cttc else ref.take(ref.label == label)
    kinds = _kinds(criteria, n_labels)
    n_events = np.bincount(ref.clip, minlength=n_clips)
    false, hits = [], []
    step = max(BLOCK_FRAMES // max(n_frames, 1), 1)
    for start in range(0, n_clips, step):
        clips = np.arange(start, min(start + step, n_clips))
        with_events, without_events = clips[n_events[clips] > 0], clips[n_events[clips] == 0]
        # In clips without events every run is a false alarm, so only the number of runs matters.
        row, score, change = run_changes(curves[without_events])
        false.append((score, without_events[row] * kinds + kinds - 1, change))
        every = runs(curves[with_events])
        clip = with_events[every.row]
        if n_events[clip].sum() > MANY * clip.size:
            alarms, gains = changes_of_nested(every, times[with_events], with_events, label, ref, kinds, criteria)
            false += alarms
            hits += gains
            continue
        detections = Columns(clip, np.full(clip.size, label), times[clip, every.first], times[clip, every.stop])
        shared = share(ref, detections, n_labels, criteria, every=True)
        false += _run_alarms(every, clip, shared, kinds)
        hits.append(_hits(shared, every.high, every.low, ref, criteria))
    none = np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    return _concatenated([none, *false]), _concatenated([none, *hits])


def _above_certain_alarms(
    curves: Float[np.ndarray, "clip frame"], with_event: Int[np.ndarray, " event"], enough: int
) -> tuple[Float[np.ndarray, "clip frame"], Bool[np.ndarray, " clip"] | None]:
    """The scores above the highest threshold with a false alarm in more than `enough` clips; -inf for lower scores.

    A clip without events of the label has a false alarm at every threshold up to its highest score. Lower thresholds
    therefore have at least as many false alarms, and cannot lie on the curve. Also returns
    the clips with a false alarm at every threshold left out; None if all scores are kept.
    """
    without_events = np.ones(len(curves), dtype=np.bool_)
    without_events[with_event] = False
    if without_events.sum() <= enough or not curves.shape[1]:
        return curves, None
    peaks = np.where(without_events, curves.max(axis=1), -np.inf)
    floor = np.partition(peaks, peaks.size - 1 - enough)[peaks.size - 1 - enough]
    if floor == -np.inf:
        return curves, None
    return np.where(curves > floor, curves, curves.dtype.type(-np.inf)), peaks >= floor


def changes_of_points(
    points: Sequence[Columns], ref: Columns, n_labels: int, criteria: Criteria, durations: Float[np.ndarray, " clip"]
) -> Iterator[Changes | None]:
    """Changes of each label; None for a label without reference events.

    Operating point `i` is treated as threshold `-i`: its detections appear there and end at `-(i + 1)`. A detection
    outside its clip can be a hit or a cross trigger, but not a false alarm, as in `psds_eval`.
    """
    every = Columns(*(np.concatenate(c) for c in zip(*points, strict=True))) if points else ref.take(ref.clip < 0)
    point = np.repeat(np.arange(len(points)), [d.clip.size for d in points])
    kinds = _kinds(criteria, n_labels)
    for label in range(n_labels):
        own = every.label == label
        events = ref if criteria.cttc else ref.take(ref.label == label)
        if not np.any(ref.label == label):
            yield None
            continue
        detections = every.take(own)
        shared = share(events, detections, n_labels, criteria)
        inside = (detections.onset < durations[detections.clip]) & (detections.offset > 0)
        false = _point_alarms(detections.clip, point[own], inside, shared, kinds, len(points))
        yield Changes.of(*false, *_point_hits(shared, point[own], len(points), events, criteria))


def _run_alarms(every: Runs, clip: Int[np.ndarray, " run"], shared: Shared, kinds: int) -> list[Counted]:
    """Changes in false alarms and in cross triggers from runs.

    When a run appears, the runs inside it end. Mostly, that is one run of the same kind, and the counts stay equal.
    """
    n = clip.size
    inner = np.flatnonzero(every.parent >= 0)
    alarm = (~shared.relevant).astype(np.float64)
    change = alarm - summed(every.parent[inner], alarm[inner], n)
    k = np.flatnonzero(change)
    alarms = [(every.high[k], clip[k] * kinds + kinds - 1, change[k])]
    if kinds > 1:
        # The groups of a run and of its parent have the same labels in the same order: those of their clip.
        run, cross = shared.group_detection, shared.crossed.astype(np.float64)
        size = np.bincount(run, minlength=n)
        first = np.cumsum(size) - size
        inner = np.flatnonzero(every.parent[run] >= 0)
        parent = first[every.parent[run[inner]]] + inner - first[run[inner]]
        change = cross - summed(parent, cross[inner], run.size)
        k = np.flatnonzero(change)
        alarms.append((every.high[run[k]], clip[run[k]] * kinds + shared.group_label[k], change[k]))
    return alarms


def _point_alarms(
    clip: Int[np.ndarray, " detection"],
    point: Int[np.ndarray, " detection"],
    inside: Bool[np.ndarray, " detection"],
    shared: Shared,
    kinds: int,
    n_points: int,
) -> Counted:
    """Changes in false alarms from each operating point to the next."""
    alarm, cross = np.flatnonzero(~shared.relevant & inside), shared.group_detection[shared.crossed]
    cell = np.append(clip[alarm] * kinds + kinds - 1, clip[cross] * kinds + shared.group_label[shared.crossed])
    appears = point[np.append(alarm, cross)]
    n_cells = int(cell.max(initial=0)) + 1
    keys, where = np.unique(np.append(appears, appears + 1) * n_cells + np.append(cell, cell), return_inverse=True)
    change = summed(where, np.repeat([1.0, -1.0], cell.size), keys.size)
    k = (change != 0) & (keys < n_points * n_cells)
    return -(keys[k] // n_cells).astype(np.float64), keys[k] % n_cells, change[k]


def _hits(
    shared: Shared,
    high: Float[np.ndarray, " detection"],
    low: Float[np.ndarray, " detection"],
    ref: Columns,
    criteria: Criteria,
) -> Counted:
    """Changes in hits: reference events that become or stop being hits, by the seconds covered at each threshold."""
    d = shared.pair_detection
    return partly_covered(high[d], low[d], shared.pair_event, shared.pair_seconds, ref, criteria)


def _point_hits(
    shared: Shared, point: Int[np.ndarray, " detection"], n_points: int, ref: Columns, criteria: Criteria
) -> Counted:
    """Changes in hits from each operating point to the next."""
    some, event = np.unique(shared.pair_event, return_inverse=True)
    place = event * n_points + point[shared.pair_detection]
    covered = summed(place, shared.pair_seconds, some.size * n_points)
    length = np.repeat((ref.offset - ref.onset)[some], n_points)
    hit = criteria.reached(criteria.gtc, covered, length).reshape(some.size, n_points)
    change = np.diff(hit.astype(np.int64), axis=1, prepend=0)
    event, at = np.nonzero(change)
    return -at.astype(np.float64), ref.clip[some[event]], change[event, at]


def _kinds(criteria: Criteria, n_labels: int) -> int:
    """Number of kinds of false alarms: one per label if cross triggers count, and a last kind for all of them."""
    return n_labels + 1 if criteria.cttc else 1


def _concatenated(parts: list[Counted]) -> Counted:
    first, second, third = (np.concatenate(column) for column in zip(*parts, strict=True))
    return first, second, third


def _borders(scores: Scores, n_frames: int) -> Float[np.ndarray, "clip bound"]:
    """Borders of the frames in seconds, padded by the last border of each clip."""
    if scores.borders is None:
        return np.broadcast_to(np.arange(n_frames + 1) / scores.frame_rate, (len(scores), n_frames + 1))
    lengths = scores.need_frames()[1] + 1
    last = lengths.cumsum(0) - 1
    place = (last - lengths + 1)[:, None] + torch.arange(n_frames + 1)
    borders: Float[np.ndarray, "clip bound"] = scores.borders.double().numpy()[torch.minimum(place, last[:, None])]
    return borders
