"""Recall of events by their duration, and by the number of events at the same time."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from jaxtyping import Int

from wsed.metrics.base import METRICS, Metric, MetricValue, Number
from wsed.metrics.events import Collars, pair_up
from wsed.metrics.f1 import percent
from wsed.metrics.pairs import Columns
from wsed.metrics.system import System

LIMITS = (0.25, 0.5, 1.0, 2.0, 5.0)
"""Borders between the groups of durations, in seconds."""

MOST = 4
"""Polyphony from which all events are in one group."""


class _Recall(Metric):
    """Base class: recall of groups of true events, with the collars of event F1."""

    needs, by_default = frozenset({"events"}), False
    names: tuple[str, ...]
    what: str

    def __init__(self, onset_collar: float = 0.2, offset_collar: float | None = 0.2, offset_ratio: float = 0.2) -> None:
        self.collars = Collars(onset_collar, offset_collar, offset_ratio).checked()

    def _groups(self, events: Columns) -> Int[np.ndarray, " event"]:
        """The number of the group of each event."""
        raise NotImplementedError

    def compute(self, system: System) -> MetricValue:
        clips = system.need_timed()
        paired = pair_up(clips.reference, clips.detected, clips.n_labels, *self.collars)
        group = self._groups(paired.ref)
        every, hit = (np.bincount(group[part], minlength=len(self.names)) for part in (slice(None), paired.hit))
        numbers: dict[str, Number] = {}
        for name, n, hits in zip(self.names, every.tolist(), hit.tolist(), strict=True):
            numbers |= {name: hits / n if n else float("nan"), f"{name}, n_ref": n}
        return MetricValue({"all": float(paired.hit.mean()) if paired.hit.size else float("nan")} | numbers)

    def logged(self, name: str, value: MetricValue) -> Mapping[str, Number]:
        return {}

    def line(self, value: MetricValue) -> str:
        known = [name for name in self.names if value.numbers.get(f"{name}, n_ref")]
        parts = [f"{name} {percent(value.numbers[name])} % of {value.numbers[f'{name}, n_ref']}" for name in known]
        return f"recall by {self.what}: {', '.join(parts)}"


def _numbers(groups: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the numbers of a recall of these groups."""
    return ("all", *(name for pair in zip(groups, _counts(groups), strict=True) for name in pair))


def _counts(groups: tuple[str, ...]) -> tuple[str, ...]:
    """The names of the numbers of events of these groups."""
    return tuple(f"{group}, n_ref" for group in groups)


@METRICS.register("recall_by_duration")
class RecallByDuration(_Recall):
    """Recall of true events by their duration.

    Args:
        onset_collar: seconds.
        offset_collar: seconds; None: offsets are not compared.
        offset_ratio: share of the duration of the true event.

    >>> from wsed.testing.metrics import system
    >>> metric = RecallByDuration()
    >>> metric.line(metric.compute(system()))
    'recall by duration: 1 to 2 s 0.0 % of 1, 2 to 5 s 83.3 % of 6'
    """

    title, place, what = "recall by duration", 60, "duration"
    names = (
        f"under {LIMITS[0]:g} s",
        *(f"{low:g} to {high:g} s" for low, high in pairwise(LIMITS)),
        f"{LIMITS[-1]:g} s or more",
    )
    numbers, not_scores = _numbers(names), _counts(names)

    def _groups(self, events: Columns) -> Int[np.ndarray, " event"]:
        seconds = np.round(events.offset - events.onset, 6)
        group: Int[np.ndarray, " event"] = np.searchsorted(np.array(LIMITS), seconds, side="right")
        return group


@METRICS.register("recall_by_polyphony")
class RecallByPolyphony(_Recall):
    """Recall of true events by polyphony, the greatest number of true events that sound at once during the event.

    Args:
        onset_collar: seconds.
        offset_collar: seconds; None: offsets are not compared.
        offset_ratio: share of the duration of the true event.

    >>> from wsed.testing.metrics import system
    >>> metric = RecallByPolyphony()
    >>> metric.line(metric.compute(system()))
    'recall by polyphony: alone 71.4 % of 7'
    """

    title, place, what = "recall by polyphony", 61, "polyphony"
    names = ("alone", *(f"{n} at once" for n in range(2, MOST)), f"{MOST} or more at once")
    numbers, not_scores = _numbers(names), _counts(names)

    def _groups(self, events: Columns) -> Int[np.ndarray, " event"]:
        group: Int[np.ndarray, " event"] = np.minimum(polyphony(events), MOST) - 1
        return group


def polyphony(events: Columns) -> Int[np.ndarray, " event"]:
    """For each event, the greatest number of events of all classes that sound at once while it lasts, with itself.

    >>> from wsed.metrics.pairs import columns
    >>> from wsed.types import Events
    >>> polyphony(columns(Events.of([(0, 0, 0.0, 2.0), (0, 1, 1.0, 3.0), (0, 0, 3.0, 4.0)]), n_labels=2)).tolist()
    [2, 2, 1]
    """
    if not events.clip.size:
        return np.zeros(0, dtype=np.int64)
    span = float(events.offset.max()) + 1.0
    onset, offset = events.onset + events.clip * span, events.offset + events.clip * span
    time, step = np.append(onset, offset), np.repeat([1, -1], onset.size)
    order = np.lexsort((step, time))  # at equal times, events end before others start
    time, sounding = time[order], np.cumsum(step[order])
    most = _RangeMax(sounding)
    first = np.searchsorted(time, onset, side="right") - 1
    last = np.searchsorted(time, offset, side="left")
    greatest: Int[np.ndarray, " event"] = np.maximum(most.of(first, np.maximum(last, first + 1)), 1)
    return greatest


class _RangeMax:
    """Finds the greatest value of ranges, from a table of the maxima of ranges of 1, 2, 4 ... values."""

    def __init__(self, values: Int[np.ndarray, " n"]) -> None:
        self.levels = [values]
        while (half := 1 << (len(self.levels) - 1)) < values.size:
            low = self.levels[-1]
            self.levels.append(np.maximum(low, np.append(low[half:], low[-1:].repeat(half))[: low.size]))

    def of(self, start: Int[np.ndarray, " n"], stop: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The greatest value of `start <= i < stop`, which holds one value or more."""
        level = np.log2(stop - start).astype(np.int64)
        table = np.stack(self.levels)
        most: Int[np.ndarray, " n"] = np.maximum(table[level, start], table[level, stop - (1 << level)])
        return most
