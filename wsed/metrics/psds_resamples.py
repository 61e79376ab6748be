"""PSDS of many resamples of the clips at once: array code over blocks of resamples.

The values are those of `PSDSTable.psds` for each row of clip weights, up to rounding. The curves themselves are not
built: each class gives the rate and the height of its steps, and one sort of the steps of all classes gives the area.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from wsed.metrics.psds_reference import Reference, rates
from wsed.metrics.roc import NO_VARIANCE, Changes

BLOCK = 1 << 16
"""Most numbers in an array of one class, so that it fits into the cache; the arrays of all classes may be larger."""

Rows = Float[np.ndarray, "resample clip"]
Steps = Float[np.ndarray, "resample _"]
PerResample = Float[np.ndarray, " resample"]
Every = Sequence[Changes | None]
"""The changes of each label; None for a label without reference events."""


@dataclass(frozen=True)
class Resampler:
    """Computes the PSDS of many rows of clip weights.

    Attributes:
        truth: the reference.
        changes: changes of each label.
        alpha_ct: weight of cross triggers.
        alpha_st: weight of the standard deviation between classes.
        max_efpr: rate up to which the area is computed.
    """

    truth: Reference
    changes: Every
    alpha_ct: float
    alpha_st: float
    max_efpr: float

    def values(self, weights: Rows, changes_for: Callable[[Rows], Every] | None = None) -> PerResample:
        """The score for each row of weights.

        Args:
            weights: how often each clip counts.
            changes_for: returns all changes that a block of rows needs; if None, `changes` has them.
        """
        most = max((change.cell.size for change in self.changes if change is not None), default=0)
        rows = max(1, BLOCK // max(most, weights.shape[1], 1))
        blocks = [weights[start : start + rows] for start in range(0, len(weights), rows)]
        parts = [self._block(block, changes_for(block) if changes_for else self.changes) for block in blocks]
        return np.concatenate([np.zeros(0), *parts])

    @cached_property
    def _events(self) -> Float[np.ndarray, "clip label"]:
        """Number of reference events of each clip and label."""
        return self._table(np.ones(self.truth.events.clip.size))

    @cached_property
    def _seconds(self) -> Float[np.ndarray, "clip label"]:
        """Seconds of the reference events of each clip and label."""
        return self._table(self.truth.events.offset - self.truth.events.onset)

    def _table(self, per_event: Float[np.ndarray, " event"]) -> Float[np.ndarray, "clip label"]:
        events, shape = self.truth.events, (self.truth.durations.size, self.truth.n_labels)
        cell = events.clip * self.truth.n_labels + events.label
        return np.bincount(cell, per_event, minlength=shape[0] * shape[1]).astype(np.float64).reshape(shape)

    def _block(self, weights: Rows, changes: Every) -> PerResample:
        n_ref = weights @ self._events * (self.truth.seconds(weights) > 0)
        with_curve = [k for k, change in enumerate(changes) if change is not None]
        curves = (n_ref[:, with_curve] > 0).sum(1)
        if not with_curve:
            return np.full(len(weights), np.nan)
        padded = np.concatenate([np.zeros((len(weights), 1)), weights], axis=1)  # clip 0 never counts
        same = None if self.truth.timed is not None else self._rates(weights)
        steps: list[tuple[Steps, Steps]] = []
        for label in with_curve:
            change = changes[label]
            assert change is not None
            rate = self._rates(weights * self.truth.timed[:, label]) if self.truth.timed is not None else same
            assert rate is not None
            n = n_ref[:, label, None]
            steps.append(_steps(change, padded, rate, np.where(n > 0, n, np.inf), self.max_efpr))
        with np.errstate(invalid="ignore"):  # rows without reference events: 0 / 0
            return self._areas(steps, curves)

    def _areas(self, steps: Sequence[tuple[Steps, Steps]], curves: Int[np.ndarray, " resample"]) -> PerResample:
        """The area under the effective curve from the rates and heights of all classes."""
        rate = np.concatenate([rates for rates, _ in steps], axis=1)
        order = _sorted(rate)  # sorted parts are merged quickly
        rate = rate.take(order)
        mean, power = (
            np.cumsum(np.concatenate(change, axis=1).take(order), axis=1)
            for change in ([_changes(height) for _, height in steps], [_changes(height**2) for _, height in steps])
        )
        mean /= curves[:, None]
        power /= curves[:, None]
        power -= mean**2  # the variance
        power[power <= NO_VARIANCE] = 0.0
        height = np.maximum(mean - self.alpha_st * np.sqrt(power), 0.0)
        height[:, :-1] *= rate[:, 1:] - rate[:, :-1]
        height[:, -1] *= self.max_efpr - rate[:, -1]
        value: PerResample = height.sum(1) / self.max_efpr
        return value

    def _rates(self, weights: Rows) -> Float[np.ndarray, "resample kind"]:
        """Effective rate of one false alarm in a clip that counts once, for each row; see `rates`."""
        return rates(weights @ self.truth.durations, weights @ self._seconds, self.alpha_ct)


def _steps(
    change: Changes,
    padded: Steps,
    rates: Float[np.ndarray, "resample kind"],
    n_ref: Float[np.ndarray, "resample 1"],
    max_efpr: float,
) -> tuple[Steps, Steps]:
    """Rising rates of one class, at most `max_efpr`, and the height of its curve from each of them on."""
    clip, kind = np.divmod(change.cell, rates.shape[1])
    alarms = padded.take(np.append(0, clip + 1), axis=1)  # the first threshold is before all changes
    alarms *= np.append(0.0, change.amount)
    if rates.shape[1] > 1:
        alarms[:, 1:] *= rates.take(kind, axis=1)
    np.cumsum(alarms, axis=1, out=alarms)
    lowest = _lowest(alarms, change)
    if rates.shape[1] == 1:
        lowest *= rates
    np.clip(lowest, 0.0, max_efpr, out=lowest)
    hits = padded.take(np.append(0, change.hit_clip + 1), axis=1)
    hits *= np.append(0.0, change.hit_amount)
    np.cumsum(hits, axis=1, out=hits)
    hits = hits.take(np.append(0, change.hit_end + 1), axis=1)
    order = _sorted(lowest)  # nearly sorted already
    height = hits.take(order)
    np.maximum.accumulate(height, axis=1, out=height)
    height /= n_ref
    return _rises(lowest.take(order), height, max_efpr)


def _rises(rate: Steps, height: Steps, max_efpr: float) -> tuple[Steps, Steps]:
    """The steps at which each curve rises, mostly one of ten; rows are filled up with steps at `max_efpr`."""
    rises = rate < max_efpr
    rises[:, 0] &= height[:, 0] > 0
    rises[:, 1:] &= height[:, 1:] > height[:, :-1]
    count = rises.sum(1)
    there = np.arange(max(int(count.max(initial=0)), 1)) < count[:, None]
    rates, heights = np.full(there.shape, max_efpr), np.zeros(there.shape)
    rates[there], heights[there] = rate[rises], height[rises]
    np.maximum.accumulate(heights, axis=1, out=heights)
    return rates, heights


def _lowest(alarms: Steps, change: Changes) -> Steps:
    """The lowest rate of each segment: at its first threshold, or where false alarms have ended."""
    lowest: Steps = alarms.take(change.point[change.segment], axis=1)
    falls, segment, start = change.falls
    if falls.size:
        least = np.minimum.reduceat(alarms.take(change.point[falls], axis=1), start, axis=1)
        lowest[:, segment] = np.minimum(lowest.take(segment, axis=1), least)
    return lowest


def _sorted(rows: Steps) -> Int[np.ndarray, "resample step"]:
    """Places in the flat array that sort each row."""
    order: Int[np.ndarray, "resample step"] = np.argsort(rows, axis=1, kind="stable")
    order += (np.arange(len(rows)) * rows.shape[1])[:, None]
    return order


def _changes(height: Steps) -> Steps:
    change = height.copy()
    change[:, 1:] -= height[:, :-1]
    return change
