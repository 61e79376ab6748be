"""Changes of hits and false alarms as the threshold falls, from frame scores or from operating points.

In both cases, each detection exists for a range of thresholds. Whether it is a false alarm does not depend on other
detections, so each is compared with the reference once (`share`) and counted when it appears and when it ends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from wsed.errors import WsedError
from wsed.metrics.intersection import Criteria, Shared, share, summed
from wsed.metrics.pairs import Columns
from wsed.metrics.roc import Changes
from wsed.metrics.runs import Runs, run_changes, runs
from wsed.values import Scores

Counted = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Changes in false alarms: highest threshold at which each has happened, clip and kind as one index, amount.

Changes in hits: the same, with the clip as the index.
"""

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
        if table.dtype in (torch.float16, torch.bfloat16):
            table = table.float()
        real = None if scores.is_full else valid.cpu().numpy()
        return ScoreGrid(table.detach().cpu().numpy(), _borders(scores, table.shape[1]), real)

    def labels(self) -> Iterator[Float[np.ndarray, "clip frame"]]:
        """Iterate over the scores of each label."""
        for low in range(0, self.scores.shape[2], BLOCK_LABELS):
            part = np.array(self.scores[:, :, low : low + BLOCK_LABELS].transpose(2, 0, 1), order="C")  # always a copy
            if self.valid is not None:
                part[:, ~self.valid] = -np.inf
            if np.isnan(part).any():
                raise WsedError(f"the scores of clip {int(np.argwhere(np.isnan(part))[0, 1])} hold NaN")
            yield from part


def changes_of_scores(
    grid: ScoreGrid, ref: Columns, criteria: Criteria, enough: int | None = None
) -> Iterator[Changes | None]:
    """Changes of each label; None for a label without reference.

    Args:
        grid: the scores.
        ref: reference events, sorted.
        criteria: shares that must be reached.
        enough: if given, thresholds with certainly more false alarms than this are left out.
    """
    n_labels = grid.scores.shape[2]
    in_label = np.bincount(ref.label, minlength=n_labels)
    for label, curves in enumerate(grid.labels()):
        if not in_label[label]:
            yield None
            continue
        own = ref.label == label
        if enough is not None:
            curves = _above_certain_alarms(curves, ref.clip[own], enough)
        yield _changes_of_label(curves, grid.times, label, ref if criteria.cttc else ref.take(own), n_labels, criteria)


def _changes_of_label(
    curves: Float[np.ndarray, "clip frame"],
    times: Float[np.ndarray, "clip bound"],
    label: int,
    ref: Columns,
    n_labels: int,
    criteria: Criteria,
) -> Changes:
    n_clips, n_frames = curves.shape
    kinds = _kinds(criteria, n_labels)
    has_events = np.bincount(ref.clip, minlength=n_clips) > 0
    false, hits = [], []
    step = max(BLOCK_FRAMES // max(n_frames, 1), 1)
    for start in range(0, n_clips, step):
        clips = np.arange(start, min(start + step, n_clips))
        with_events, without_events = clips[has_events[clips]], clips[~has_events[clips]]
        # In clips without events every run is a false alarm, so only the number of runs matters.
        row, score, change = run_changes(curves[without_events])
        false.append((score, without_events[row] * kinds + kinds - 1, change))
        every = runs(curves[with_events])
        clip = with_events[every.row]
        detections = Columns(clip, np.full(clip.size, label), times[clip, every.first], times[clip, every.stop])
        shared = share(ref, detections, n_labels, criteria)
        false += _run_alarms(every, clip, shared, kinds)
        hits.append(_hits(shared, every.high, every.low, ref, criteria))
    return Changes.of(*_joined(false), *_joined(hits))


def _above_certain_alarms(
    curves: Float[np.ndarray, "clip frame"], with_event: Int[np.ndarray, " event"], enough: int
) -> Float[np.ndarray, "clip frame"]:
    """The scores above the highest threshold with a false alarm in more than `enough` clips; -inf for lower scores.

    A clip without events of the label has a false alarm at every threshold up to its highest score. Lower thresholds
    therefore have at least as many false alarms, and cannot lie on the curve.
    """
    without_events = np.ones(len(curves), dtype=np.bool_)
    without_events[with_event] = False
    if without_events.sum() <= enough or not curves.shape[1]:
        return curves
    peaks = curves[without_events].max(axis=1)
    floor = np.partition(peaks, peaks.size - 1 - enough)[peaks.size - 1 - enough]
    return np.where(curves > floor, curves, curves.dtype.type(-np.inf))


def changes_of_points(
    points: Sequence[Columns], ref: Columns, n_labels: int, criteria: Criteria
) -> Iterator[Changes | None]:
    """Changes of each label; None for a label without reference.

    Operating point `i` is treated as threshold `-i`: its detections appear there and end at `-(i + 1)`.
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
        false = _point_alarms(detections.clip, point[own], shared, kinds, len(points))
        yield Changes.of(*false, *_point_hits(shared, point[own], len(points), events, criteria))


def _run_alarms(every: Runs, clip: Int[np.ndarray, " run"], shared: Shared, kinds: int) -> list[Counted]:
    """Changes in false alarms and in cross triggers from runs.

    When a run appears, the runs inside it end. Most often that is one run of the same kind, and the counts stay.
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
    shared: Shared,
    kinds: int,
    n_points: int,
) -> Counted:
    """Changes in false alarms from each operating point to the next."""
    alarm, cross = np.flatnonzero(~shared.relevant), shared.group_detection[shared.crossed]
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
    """Changes in hits: reference events that become or stop being hits, by the seconds covered at each threshold.

    An event may become and stop being a hit at the same threshold while detections change; `Changes` adds these up.
    """
    d, event = shared.pair_detection, np.tile(shared.pair_event, 2)
    score, seconds = np.append(high[d], low[d]), np.append(shared.pair_seconds, -shared.pair_seconds)
    order = np.lexsort((-score, event))
    order = order[score[order] > -np.inf]
    score, event, seconds = score[order], event[order], seconds[order]
    new = np.append(True, event[1:] != event[:-1])[: event.size]
    covered = np.cumsum(seconds)
    covered -= (covered - seconds)[np.flatnonzero(new)][np.cumsum(new) - 1]
    hit = criteria.reached(criteria.gtc, covered, (ref.offset - ref.onset)[event]).astype(np.int64)
    change = np.diff(hit, prepend=0)
    change[new] = hit[new]
    k = np.flatnonzero(change)
    return score[k], ref.clip[event[k]], change[k]


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
    """Number of kinds of false alarms: one per label if cross triggers count, plus the last kind: all of them."""
    return n_labels + 1 if criteria.cttc else 1


def _joined(parts: list[Counted]) -> Counted:
    first, second, third = (np.concatenate(column) for column in zip(*parts, strict=True))
    return first, second, third


def _borders(scores: Scores, n_frames: int) -> Float[np.ndarray, "clip bound"]:
    """Borders of the frames in seconds, padded by the last border of each clip."""
    if scores.borders is None:
        return np.broadcast_to(np.arange(n_frames + 1) / scores.frame_rate, (len(scores), n_frames + 1))
    lengths = scores.need()[1] + 1
    last = lengths.cumsum(0) - 1
    place = (last - lengths + 1)[:, None] + torch.arange(n_frames + 1)
    borders: Float[np.ndarray, "clip bound"] = scores.borders.double().numpy()[torch.minimum(place, last[:, None])]
    return borders
