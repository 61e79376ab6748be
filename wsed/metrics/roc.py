"""PSD-ROC curves: hits against false alarms, of one class and of all classes together.

Bilen et al.: A framework for the robust evaluation of sound event detection, ICASSP 2020, section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from wsed.errors import WsedError

Indices = Int[np.ndarray, " _"]

NO_VARIANCE = 1e-14
"""A smaller variance is a rounding error of equal values."""


@dataclass(frozen=True)
class Curve:
    """A staircase with height `tpr[i]` from `efpr[i]` to `efpr[i + 1]`; empty for a class without reference events.

    Draw it with `axes.step(efpr, tpr, where="post")`.

    Attributes:
        efpr: effective false positives per hour, rising from 0.
        tpr: share of the reference events that are hits, in [0, 1]; for several classes the effective share.

    >>> Curve(np.array([0.0, 50.0]), np.array([0.0, 1.0])).area(max_efpr=100.0)
    0.5
    """

    efpr: Float[np.ndarray, " point"]
    tpr: Float[np.ndarray, " point"]

    def area(self, max_efpr: float) -> float:
        """Mean height up to `max_efpr`; NaN if empty."""
        if not self.efpr.size:
            return float("nan")
        width = np.empty_like(self.efpr)  # np.diff with an appended value takes three times as long
        np.subtract(self.efpr[1:], self.efpr[:-1], out=width[:-1])
        width[-1] = max_efpr - self.efpr[-1]
        return float(width @ self.tpr) / max_efpr


@dataclass(frozen=True)
class Changes:
    """Changes in the counts of one class as the threshold falls, in order of falling threshold.

    The thresholds between two changes of hits form a `segment`. Only the lowest false alarm rate of a segment can lie
    on the curve.

    Attributes:
        cell: clip and kind of the false alarms that change, as one index.
        amount: change in the number of these false alarms.
        point: number of false alarm changes that have happened at each threshold; the first is above all scores.
        hit_clip: clip of each change in the number of hits.
        hit_amount: change in the number of hits.
        hit_end: index of the last change at each threshold where hits change.
        segment: index into `point` of the first threshold of each segment.
    """

    cell: Int[np.ndarray, " change"]
    amount: Float[np.ndarray, " change"]
    point: Int[np.ndarray, " point"]
    hit_clip: Int[np.ndarray, " hit"]
    hit_amount: Float[np.ndarray, " hit"]
    hit_end: Int[np.ndarray, " hit_threshold"]
    segment: Int[np.ndarray, " segment"]

    @staticmethod
    def of(
        score: Float[np.ndarray, " change"],
        cell: Int[np.ndarray, " change"],
        amount: Float[np.ndarray, " change"] | Int[np.ndarray, " change"],
        hit_score: Float[np.ndarray, " hit"],
        hit_clip: Int[np.ndarray, " hit"],
        hit_amount: Int[np.ndarray, " hit"],
    ) -> "Changes":
        """Changes in any order, each with the highest threshold at which it has happened."""
        order, hit_order = np.argsort(-score), np.argsort(-hit_score)
        score, hit_score = -score[order], -hit_score[hit_order]  # rising
        hit_end = _last_of_ties(hit_score)
        point = np.concatenate([[0], _last_of_ties(score) + 1])
        above, first = (np.searchsorted(score, hit_score[hit_end], side=side) for side in ("left", "right"))
        start = np.searchsorted(point, first)
        # Where only hits change, the rate belongs to the segment that ends and to the next one: it is listed twice.
        twice = above == first
        return Changes(
            cell[order],
            amount[order].astype(np.float64),
            np.insert(point, start[twice] + 1, point[start[twice]]),
            hit_clip[hit_order],
            hit_amount[hit_order].astype(np.float64),
            hit_end,
            np.concatenate([[0], start + np.cumsum(twice)]),
        )

    @cached_property
    def falls(self) -> tuple[Indices, Indices, Indices]:
        """Thresholds at which false alarms end: only there can the rate fall within a segment.

        Returns:
            These thresholds, as indices into `point`, without the first threshold of each segment; the segments that
            have such thresholds; for each of these segments, the position of its first one in the first array.
        """
        ended = np.concatenate([[0], np.cumsum(self.amount < 0)])[self.point]
        fall = np.diff(ended, prepend=0) > 0
        fall[self.segment] = False
        places = np.flatnonzero(fall)
        segment, start = np.unique(np.searchsorted(self.segment, places, side="right") - 1, return_index=True)
        return places, segment, start

    def curve(
        self, rates: Float[np.ndarray, " cell"], weights: Float[np.ndarray, " clip"], n_ref: float, max_efpr: float
    ) -> Curve:
        """The curve of the class for given clip weights.

        Args:
            rates: effective rate that one false alarm of each cell adds.
            weights: how often each clip counts.
            n_ref: number of reference events with these weights.
            max_efpr: rate at which the curve ends.
        """
        efpr = np.zeros(self.cell.size + 1)
        efpr[1:] = rates[self.cell]
        efpr[1:] *= self.amount
        np.cumsum(efpr, out=efpr)
        lowest = np.minimum.reduceat(efpr[self.point], self.segment)
        hits = np.cumsum(weights[self.hit_clip] * self.hit_amount)[self.hit_end]
        return staircase(np.maximum(lowest, 0.0), np.concatenate([[0.0], hits]) / n_ref, max_efpr)


def staircase(efpr: Float[np.ndarray, " any"], tpr: Float[np.ndarray, " any"], max_efpr: float) -> Curve:
    """The curve through the points with more hits than every point of equal or lower rate, up to `max_efpr`.

    >>> staircase(np.array([0.0, 10.0, 20.0]), np.array([0.5, 0.25, 1.0]), max_efpr=100.0).efpr
    array([ 0., 20.])
    """
    order = np.lexsort((-tpr, efpr))
    efpr, tpr = efpr[order], tpr[order]
    best = np.maximum.accumulate(tpr)
    better = np.ones(tpr.size, dtype=np.bool_)
    better[1:] = best[1:] > best[:-1]
    better &= efpr <= max_efpr
    return Curve(efpr[better], tpr[better])


def effective_curve(curves: Sequence[Curve], alpha_st: float) -> Curve:
    """Mean of the curves over classes minus `alpha_st` times their standard deviation, at least 0.

    Empty curves (classes without reference events) are left out. The result is empty if all curves are.

    >>> curves = [Curve(np.array([0.0]), np.array([tpr])) for tpr in (0.5, 1.0)]
    >>> effective_curve(curves, alpha_st=1.0).tpr
    array([0.5])
    """
    curves = [c for c in curves if c.efpr.size]
    if not curves:
        return Curve(np.zeros(0), np.zeros(0))
    efpr = np.concatenate([c.efpr for c in curves])
    order = np.argsort(efpr, kind="stable")
    end = _last_of_ties(efpr[order])
    # One pass over the steps of all curves: cumulative sums of the changes in height and in squared height.
    height = np.concatenate([np.diff(c.tpr, prepend=0.0) for c in curves])
    square = np.concatenate([np.diff(c.tpr**2, prepend=0.0) for c in curves])
    mean, power = (np.cumsum(step[order])[end] / len(curves) for step in (height, square))
    variance = power - mean**2
    deviation = np.sqrt(np.where(variance > NO_VARIANCE, variance, 0.0))
    return Curve(efpr[order][end], np.maximum(mean - alpha_st * deviation, 0.0))


def check_area(max_efpr: float, **weights: float) -> None:
    """Raise a `WsedError` if a weight is below 0, or the area under a curve has no finite end above 0.

    >>> check_area(100.0, alpha_st=1.0)
    """
    for name, value in weights.items():
        if not 0 <= value < np.inf:
            raise WsedError(f"{name} must be 0 or more and finite, not {value}")
    if not 0 < max_efpr < np.inf:
        raise WsedError(f"max_efpr must be more than 0 and finite, not {max_efpr}")


def _last_of_ties(ordered: Float[np.ndarray, " n"]) -> Int[np.ndarray, " distinct"]:
    """Index of the last element of each group of equal neighbours."""
    return np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[: ordered.size])
