"""Intersections of runs with events in clips with many events, without forming pairs of runs and events.

The runs of all thresholds are nested. In a long recording most runs contain many events, so there would be as many
pairs as runs times events. Events of one class do not overlap: a run contains its events whole, except at most one at
either end. Cumulative counts and seconds at the borders of frames therefore give the number of its events and the
seconds that it shares with them.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from wsed.metrics.intersection import Criteria, summed
from wsed.metrics.joined import overlapping
from wsed.metrics.pairs import Columns
from wsed.metrics.runs import Runs
from wsed.types import Events

Counted = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Changes of counts: the highest threshold at which each has happened, its place (an index), and its amount."""
PerRun = Int[np.ndarray, " run"]


class Cover(NamedTuple):
    """Events of one class that do not overlap, and cumulative counts at the borders of frames.

    The index of a border is `row * borders + border`. `begun` is the number of events that start before the border,
    `ended` the number that end at it or before, and `seconds` the seconds of events before it; events of earlier rows
    are included.
    """

    events: Columns
    begun: Int[np.ndarray, " border"]
    ended: Int[np.ndarray, " border"]
    seconds: Float[np.ndarray, " border"]


def changes_of_nested(
    every: Runs,
    times: Float[np.ndarray, "row bound"],
    clips: Int[np.ndarray, " row"],
    label: int,
    ref: Columns,
    kinds: int,
    criteria: Criteria,
) -> tuple[list[Counted], list[Counted]]:
    """Changes of false alarms and of hits as the threshold falls, of the runs of one label.

    Args:
        every: runs of frames of each row.
        times: seconds of the borders of frames of each row.
        clips: the clip of each row.
        label: the label of the runs.
        ref: events of any clips, sorted by clip, label and onset.
        kinds: number of kinds of false alarms: 1, or one per label and a last one for all false alarms.
        criteria: shares that must be reached.

    Returns:
        `(threshold, clip * kinds + kind, amount)` of false alarms, `(threshold, clip, amount)` of hits.
    """
    row_of = np.full(int(max(clips.max(), ref.clip.max(initial=0))) + 1, -1)
    row_of[clips] = np.arange(clips.size)
    row = row_of[ref.clip]
    ref = ref.take(row >= 0)._replace(clip=row[row >= 0])  # clips are rows from here on
    tree = _Tree(every, times)
    own = [_cover(times, events) for events in _layers(ref.take(ref.label == label))]
    shared = tree.seconds(own)
    some = np.flatnonzero(shared > 0)
    relevant = np.zeros(tree.size, dtype=np.bool_)
    relevant[some] = criteria.reached(criteria.dtc, shared[some], tree.length(some))
    run, amount = tree.change(~relevant)
    false = [(every.high[run], clips[every.row[run]] * kinds + kinds - 1, amount)]
    if kinds > 1:
        for events in _slots(ref.take(ref.label != label)):
            kind = np.full(clips.size, -1)
            kind[events.clip] = events.label
            run, amount = tree.change(tree.covered(events, criteria) & ~relevant)
            row = every.row[run]
            false.append((every.high[run], clips[row] * kinds + kind[row], amount))
    hits = [part for cover in own for part in _hit_changes(every, tree, cover, relevant, criteria)]
    return false, [_netted(hits, clips)] if hits else []


class _Tree:
    """Runs with their first and last borders, and the run that each becomes part of."""

    def __init__(self, every: Runs, times: Float[np.ndarray, "row bound"]) -> None:
        self.times = times
        self.begin, self.end = (every.row * times.shape[1] + border for border in (every.first, every.stop))
        self.parent = every.parent
        self.size = every.row.size
        self._time: Float[np.ndarray, " border"] = times.ravel()

    def at(self, border: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Seconds of borders."""
        time: Float[np.ndarray, " n"] = self._time[border]
        return time

    def length(self, run: PerRun) -> Float[np.ndarray, " run"]:
        length: Float[np.ndarray, " run"] = self.at(self.end[run]) - self.at(self.begin[run])
        return length

    def seconds(self, covers: list[Cover]) -> Float[np.ndarray, " run"]:
        """Seconds that each run shares with events."""
        total = np.zeros(self.size)
        for cover in covers:
            total += cover.seconds[self.end]
            total -= cover.seconds[self.begin]
        return total

    def covered(self, events: Columns, criteria: Criteria) -> Bool[np.ndarray, " run"]:
        """Whether events cover enough of each run to make it a cross trigger."""
        assert criteria.cttc is not None
        shared = self.seconds([_cover(self.times, layer) for layer in _layers(events)])
        some = np.flatnonzero(shared > 0)
        crossed = np.zeros(self.size, dtype=np.bool_)
        crossed[some] = criteria.reached(criteria.cttc, shared[some], self.length(some))
        return crossed

    def change(self, amount: np.ndarray) -> tuple[PerRun, Float[np.ndarray, " run"]]:
        """The runs whose amount differs from that of the runs inside them that they replace, and the differences."""
        run = np.flatnonzero(amount)
        inner = run[self.parent[run] >= 0]
        if FEW * run.size > self.size:
            change = amount - summed(self.parent[inner], amount[inner].astype(np.float64), self.size)
            k = np.flatnonzero(change)
            return k, change[k]
        of, place = np.unique(np.append(run, self.parent[inner]), return_inverse=True)
        change = summed(place, np.append(amount[run], -amount[inner].astype(np.float64)), of.size)
        k = np.flatnonzero(change)
        return of[k], change[k]


FEW = 16
"""All runs are computed if more than one in `FEW` has an amount, since that is quicker."""


def _hit_changes(
    every: Runs, tree: _Tree, cover: Cover, relevant: Bool[np.ndarray, " run"], criteria: Criteria
) -> Iterator[Counted]:
    """Changes in hits: first of events inside relevant runs, then of events that such runs cover in part."""
    whole = np.where(relevant, np.maximum(cover.ended[tree.end] - cover.begun[tree.begin], 0), 0)
    run, amount = tree.change(whole)
    yield every.high[run], every.row[run], amount
    run = np.flatnonzero(relevant)
    begin, end = tree.begin[run], tree.end[run]
    first, last = cover.ended[begin], cover.ended[end]  # the event at a border, if there is one
    enters, leaves = cover.begun[begin] > first, cover.begun[end] > last
    both = enters & leaves & (first == last)
    enters &= ~both
    leaves &= ~both
    onset, offset = cover.events.onset, cover.events.offset
    seconds = [
        tree.length(run[both]),
        offset[first[enters]] - tree.at(begin[enters]),
        tree.at(end[leaves]) - onset[last[leaves]],
    ]
    event = np.concatenate([first[both], first[enters], last[leaves]])
    run = np.concatenate([run[both], run[enters], run[leaves]])
    yield partly_covered(every.high[run], every.low[run], event, np.concatenate(seconds), cover.events, criteria)


def partly_covered(
    high: Float[np.ndarray, " pair"],
    low: Float[np.ndarray, " pair"],
    event: Int[np.ndarray, " pair"],
    seconds: Float[np.ndarray, " pair"],
    ref: Columns,
    criteria: Criteria,
) -> Counted:
    """Changes in hits: events that become or stop being hits, by the seconds covered at each threshold.

    Args:
        high, low: a detection exists for thresholds in `(low, high]`.
        event: the event of each pair, an index into `ref`.
        seconds: seconds that detection and event share.
        ref: the events.
        criteria: shares that must be reached.

    An event may become a hit and stop being one at the same threshold; `Changes` adds up such changes.
    """
    score, event, seconds = np.append(high, low), np.tile(event, 2), np.append(seconds, -seconds)
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


def _cover(times: Float[np.ndarray, "row bound"], events: Columns) -> Cover:
    """The `Cover` of events of one class, sorted by row and onset; all rows are put on one time axis."""
    span = max(float(times.max(initial=0.0)), float(events.offset.max(initial=0.0))) + 1.0
    line = (times + np.arange(len(times))[:, None] * span).ravel()
    begun = _running(np.searchsorted(line, events.onset + events.clip * span, side="right"), line.size)
    ended = _running(np.searchsorted(line, events.offset + events.clip * span, side="left"), line.size)
    del line
    seconds = np.append(0.0, np.cumsum(events.offset - events.onset))[ended]
    inside = np.flatnonzero(begun > ended)
    seconds[inside] += times.ravel()[inside] - events.onset[ended[inside]]
    return Cover(events, begun, ended, seconds)


def _running(place: Int[np.ndarray, " event"], size: int) -> Int[np.ndarray, " border"]:
    """Number of events at each place or before it."""
    total = np.zeros(size + 1, dtype=np.int64)
    np.add.at(total, place, 1)
    return np.cumsum(total, out=total)[:size]


def _layers(events: Columns) -> Iterator[Columns]:
    """Split events into parts without overlaps within a clip and label; events that were joined form a single part."""
    while events.clip.size:
        later = overlapping(Events(*map(torch.from_numpy, events)))
        if not later.any():
            yield events
            return
        yield events.take(~later)
        events = events.take(later)


def _slots(events: Columns) -> Iterator[Columns]:
    """Split events into parts with one label per clip: its first label, its second, and so on."""
    new = np.ones(events.clip.size, dtype=np.bool_)
    new[1:] = (np.diff(events.clip) != 0) | (np.diff(events.label) != 0)
    first = np.flatnonzero(new)
    clip = events.clip[first]
    rank = np.arange(first.size) - np.searchsorted(clip, clip, side="left")
    slot = rank[np.cumsum(new) - 1]
    for number in range(int(rank.max(initial=-1)) + 1):
        yield events.take(slot == number)


def _netted(parts: list[Counted], clips: Int[np.ndarray, " row"]) -> Counted:
    """Add up the amounts of each row and score and drop those that sum to 0; rows become clips."""
    score, row, amount = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((score, row))
    score, row, amount = score[order], row[order], amount[order]
    new = np.ones(row.size, dtype=np.bool_)
    new[1:] = (row[1:] != row[:-1]) | (score[1:] != score[:-1])
    first = np.flatnonzero(new)
    total = np.add.reduceat(amount, first) if first.size else amount
    k = first[total != 0]
    return score[k], clips[row[k]], total[total != 0].astype(np.int64)
