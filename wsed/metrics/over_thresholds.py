"""Hits and detections of each class at every threshold: exact from frame scores, or at operating points.

At threshold `t`, the detections of a class are its runs of frames with `score > t`. A curve has one point between any
two neighbouring scores at which the counts change; its threshold lies midway if there is a number between them.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.metrics.base import ThresholdCurve
from wsed.metrics.counts import Counts
from wsed.metrics.cuts import check_ranked
from wsed.metrics.events import Collars, match, within
from wsed.metrics.intersection import Criteria, lasting, sort_reference
from wsed.metrics.pairs import Columns, columns
from wsed.metrics.psds_reference import without_unknown
from wsed.metrics.runs import run_changes, runs
from wsed.metrics.segment_ranking import segments_of
from wsed.metrics.sweep import ScoreGrid, counted_of_label
from wsed.metrics.system import TimedClips
from wsed.types import Events
from wsed.values import Scores

Change = tuple[np.ndarray, np.ndarray]
"""Scores, and the amounts by which a count changes when the threshold falls below them."""


def event_curves(clips: TimedClips, collars: Collars) -> Iterator[ThresholdCurve]:
    """The curve of each class if hits are counted as by `event_counts`, from frame scores.

    >>> from wsed.testing.metrics import system
    >>> [curve.n_ref for curve in event_curves(system().need_timed(), Collars())]
    [2, 3, 2]
    """
    grid, ref = _grid(clips), columns(clips.reference, clips.n_labels)
    for label, curves in enumerate(grid.labels()):
        own = ref.take(ref.label == label)
        detections = run_changes(curves)
        yield curve_of(_event_hits(curves, grid.times, own, collars), detections[1:], own.clip.size)


def intersection_curves(clips: TimedClips, dtc: float, gtc: float) -> Iterator[ThresholdCurve]:
    """The curve of each class if hits are counted as by `intersection_counts`, from frame scores.

    >>> from wsed.testing.metrics import system
    >>> [curve.n_ref for curve in intersection_curves(system().need_timed(), 0.5, 0.5)]
    [2, 3, 2]
    """
    grid = _grid(clips)
    ref = sort_reference(lasting(columns(clips.joined.reference, clips.n_labels)))
    for label, curves in enumerate(grid.labels()):
        own = ref.take(ref.label == label)
        false, hits = counted_of_label(curves, grid.times, label, own, clips.n_labels, Criteria(dtc, gtc))
        outputs = np.append(false[0], hits[0]), np.append(false[2], hits[2])
        yield curve_of((hits[0], hits[2]), outputs, own.clip.size)


def segment_curves(clips: TimedClips, length: float) -> Iterator[ThresholdCurve]:
    """The curve of each class over segments, from frame scores; segments end with their clip.

    >>> from wsed.testing.metrics import system
    >>> [curve.n_ref for curve in segment_curves(system().need_timed(), 1.0)]
    [4, 5, 4]
    """
    scores = _scores(clips)
    segments = segments_of(scores, clips.reference, length=length)
    return item_curves(torch.from_numpy(segments.true), torch.from_numpy(segments.scores))


def item_curves(true: Bool[Tensor, "item label"], scores: Float[Tensor, "item label"]) -> Iterator[ThresholdCurve]:
    """The curve of each class over items that have one score each: segments, or the tags of clips.

    Raises:
        WsedError: a score is NaN.

    >>> [curve] = item_curves(torch.tensor([[True], [False]]), torch.tensor([[0.75], [0.25]]))
    >>> curve.threshold.tolist(), curve.f1.round(2).tolist()
    ([inf, 0.5, 0.1875], [0.0, 1.0, 0.67])
    """
    table = scores.detach().double().cpu().numpy()
    check_ranked(table)
    for is_true, score in zip(true.T.cpu().numpy(), table.T, strict=True):
        finite = np.flatnonzero(score > -np.inf)
        score, hit = score[finite], is_true[finite].astype(np.int64)
        yield curve_of((score, hit), (score, np.ones_like(hit)), int(is_true.sum()))


def point_curves(
    clips: TimedClips, count: Callable[[Events, Events, int], Counts], joins: bool
) -> Iterator[ThresholdCurve]:
    """The curve of each class from operating points with known thresholds.

    Args:
        clips: clips with operating points.
        count: counts hits.
        joins: whether overlapping events are joined before they are counted.
    """
    clips = clips.joined if joins else clips
    falling = np.argsort(-np.array(clips.thresholds), kind="stable")
    counts = [count(clips.reference, clips.points[i], clips.n_labels) for i in falling.tolist()]
    limits = np.array(clips.thresholds, dtype=np.float64)[falling]
    hits, outputs = [each.tp for each in counts], [each.n_sys for each in counts]
    for label in range(clips.n_labels):
        tp, n_sys = (np.array([side[label] for side in sides], dtype=np.int64) for sides in (hits, outputs))
        yield ThresholdCurve(limits, tp, n_sys, int(counts[0].n_ref[label]))


def curve_of(hits: Change, outputs: Change, n_ref: int) -> ThresholdCurve:
    """The curve from changes in hits and in detections, in any order.

    >>> curve_of((np.array([0.5]), np.array([1])), (np.array([0.5, 0.25]), np.array([1, 1])), n_ref=1).n_sys.tolist()
    [0, 1, 2]
    """
    score = np.append(hits[0], outputs[0]).astype(np.float64)
    value, place = np.unique(-score, return_inverse=True)  # falling scores
    n_hits = hits[0].size
    tp, n_sys = (
        np.cumsum(np.bincount(place[part], weights=amount, minlength=value.size).round().astype(np.int64))
        for part, amount in ((slice(n_hits), hits[1]), (slice(n_hits, None), outputs[1]))
    )
    tp, n_sys = np.append(0, tp), np.append(0, n_sys)
    keep = np.append(True, (np.diff(tp) != 0) | (np.diff(n_sys) != 0))
    return ThresholdCurve(_between(-value)[keep], tp[keep], n_sys[keep], n_ref)


def _between(falling: Float[np.ndarray, " score"]) -> Float[np.ndarray, " threshold"]:
    """A threshold above all scores, and a finite one below each score but not below the next.

    Decoders compare in the precision of the scores. Scores may be so near that the number midway is rounded up to the
    upper one: then the threshold is the lower score; an item with that score is not above it, so not detected.
    """
    if not falling.size:
        return np.array([np.inf])
    last = falling[-1]
    with np.errstate(over="ignore", invalid="ignore"):  # a score may be infinite or the largest number
        kind = np.float32 if np.array_equal(falling.astype(np.float32), falling) else np.float64
        lowest = last / 2 if 0 < last < np.inf else min(last - 1, np.nextafter(kind(last), kind(-np.inf)))
        below = np.append(falling[1:], lowest)
        middle = below + (falling - below) / 2
    return np.append(np.inf, np.where((middle.astype(kind) < falling) & (middle > below), middle, below))


def _event_hits(
    curves: Float[np.ndarray, "clip frame"], times: Float[np.ndarray, "clip bound"], ref: Columns, collars: Collars
) -> Change:
    """Changes in the number of matched events of one class, as runs of frames appear and end."""
    with_events = np.unique(ref.clip)
    every = runs(curves[with_events])
    clip = with_events[every.row]
    detected = Columns(clip, np.zeros_like(clip), times[clip, every.first], times[clip, every.stop])
    event, run = within(ref, detected, ref.clip, clip, *collars)
    several = np.bincount(run, minlength=clip.size) > 1  # runs near several events need a search
    group = _groups(event, run, several[run], ref.clip.size)
    hard = np.zeros(ref.clip.size, dtype=np.bool_)
    hard[group[event[several[run]]]] = True
    easy = ~hard[group[event]]
    score, amount = _covered(every.high[run[easy]], every.low[run[easy]], event[easy])
    scores, amounts = [score], [amount]
    rest = np.flatnonzero(~easy)
    rest = rest[np.argsort(group[event[rest]], kind="stable")]
    for pairs in np.split(rest, np.flatnonzero(np.diff(group[event[rest]])) + 1) if rest.size else ():
        more = _matched(event[pairs], run[pairs], every.high[run[pairs]], every.low[run[pairs]])
        scores.append(more[0])
        amounts.append(more[1])
    return np.concatenate(scores), np.concatenate(amounts)


def _groups(
    event: Int[np.ndarray, " pair"], run: Int[np.ndarray, " pair"], shared: Bool[np.ndarray, " pair"], n_events: int
) -> Int[np.ndarray, " event"]:
    """The group of each event: events near the same run are in one group, numbered by its first event."""
    group = np.arange(n_events)
    e, r = event[shared], run[shared]
    while e.size:
        first = np.full(int(r.max()) + 1, n_events)
        np.minimum.at(first, r, group[e])
        better = group.copy()
        np.minimum.at(better, e, first[r])
        better = better[better]
        if np.array_equal(better, group):
            break
        group = better
    return group


def _covered(
    high: Float[np.ndarray, " pair"], low: Float[np.ndarray, " pair"], event: Int[np.ndarray, " pair"]
) -> Change:
    """Changes in the number of events near a run; each run exists for thresholds in `(low, high]`."""
    score, event = np.append(high, low), np.append(event, event)
    step = np.repeat([1, -1], high.size)
    order = np.lexsort((-score, event))
    score, event, step = score[order], event[order], step[order]
    there = np.cumsum(step)  # 0 after the last change of each event, since every run ends
    last = np.append((score[1:] != score[:-1]) | (event[1:] != event[:-1]), True)[: score.size]
    score, event, hit = score[last], event[last], (there[last] > 0).astype(np.int64)
    change = hit.copy()
    change[1:] -= np.where(event[1:] == event[:-1], hit[:-1], 0)
    kept = np.flatnonzero((change != 0) & (score > -np.inf))
    return score[kept], change[kept]


def _matched(
    event: Int[np.ndarray, " pair"],
    run: Int[np.ndarray, " pair"],
    high: Float[np.ndarray, " pair"],
    low: Float[np.ndarray, " pair"],
) -> Change:
    """Changes in the size of a maximum matching of events that share runs."""
    levels = np.unique(np.append(high, low))[::-1]
    levels = levels[levels > -np.inf]
    sizes = []
    n_events, n_runs = int(event.max()) + 1, int(run.max()) + 1
    for level in levels.tolist():
        there = (high >= level) & (low < level)
        sizes.append(int(match(event[there], run[there], n_events, n_runs)[0].sum()))
    return levels, np.diff(np.array(sizes, dtype=np.int64), prepend=0)


def _scores(clips: TimedClips) -> Scores:
    assert clips.ranked is not None
    timed = None if clips.timed is None else clips.timed.cpu().numpy()
    scores = clips.ranked if clips.durations is None else replace(clips.ranked, durations=clips.durations)
    return without_unknown(scores, timed)


def _grid(clips: TimedClips) -> ScoreGrid:
    return ScoreGrid.of(_scores(clips))
