"""PSD-ROC curves: hits against false alarms of one class, and of all classes together.

Bilen et al.: A framework for the robust evaluation of sound event detection, ICASSP 2020, section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

# Standard deviations below 1e-7 are what rounding leaves of equal values.
NO_VARIANCE = 1e-14


@dataclass(frozen=True)
class Curve:
    """A staircase: from `efpr[i]` on, up to `efpr[i + 1]` or the largest rate counted, its height is `tpr[i]`.

    Draw it with `axes.step(efpr, tpr, where="post")`. Empty for a class without reference.

    Attributes:
        efpr: effective false positives an hour, rising from 0.
        tpr: share of the reference events found, in [0, 1]; the effective one if the curve is of several classes.
    """

    efpr: Float[np.ndarray, " point"]
    tpr: Float[np.ndarray, " point"]

    def area(self, max_efpr: float) -> float:
        """Mean height up to `max_efpr`; NaN if empty."""
        if not self.efpr.size:
            return float("nan")
        return float(np.diff(self.efpr, append=max_efpr) @ self.tpr) / max_efpr


@dataclass(frozen=True)
class Changes:
    """How the counts of one class change as the threshold falls, clip by clip, in order of falling threshold.

    Between two thresholds where hits change, only the least false alarm rate can lie on the curve: a `segment`.

    Attributes:
        cell: which rate (index into a flat table of clips and kinds of false alarm) a change is of.
        amount: by how much the number of those false alarms changes.
        point: how many changes are in force at each threshold, the first being above all scores.
        hit_clip: clip of a change in the number of events found.
        hit_amount: by how many.
        hit_end: index of the last of the changes at each threshold where hits change.
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
        """Changes in any order, each with the highest threshold at which it is in force."""
        order, hit_order = np.argsort(-score), np.argsort(-hit_score)
        score, hit_score = -score[order], -hit_score[hit_order]  # rising
        hit_end = _last_of_ties(hit_score)
        point = np.concatenate([[0], _last_of_ties(score) + 1])
        above, first = (np.searchsorted(score, hit_score[hit_end], side=side) for side in ("left", "right"))
        start = np.searchsorted(point, first)
        # Where only hits change, the rate belongs to the segment that ends and to the one that starts: it stands twice.
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

    def curve(
        self, rates: Float[np.ndarray, " cell"], weights: Float[np.ndarray, " clip"], n_ref: float, max_efpr: float
    ) -> Curve:
        """The curve of the class with clips counted `weights` times.

        Args:
            rates: what one false alarm of each cell adds to the effective rate.
            weights: how often each clip counts.
            n_ref: number of reference events, counted so.
            max_efpr: where the curve is cut.
        """
        efpr = np.zeros(self.cell.size + 1)
        efpr[1:] = rates[self.cell]
        efpr[1:] *= self.amount
        np.cumsum(efpr, out=efpr)
        least = np.minimum.reduceat(efpr[self.point], self.segment)
        found = np.cumsum(weights[self.hit_clip] * self.hit_amount)[self.hit_end]
        return staircase(np.maximum(least, 0.0), np.concatenate([[0.0], found]) / n_ref, max_efpr)


def staircase(efpr: Float[np.ndarray, " any"], tpr: Float[np.ndarray, " any"], max_efpr: float) -> Curve:
    """The curve through the points that find more than every point of equal or lower rate, up to `max_efpr`."""
    order = np.lexsort((-tpr, efpr))
    efpr, tpr = efpr[order], tpr[order]
    better = np.diff(np.maximum.accumulate(tpr), prepend=-1.0) > 0
    better &= efpr <= max_efpr
    return Curve(efpr[better], tpr[better])


def effective_curve(curves: Sequence[Curve], alpha_st: float) -> Curve:
    """Mean over classes less `alpha_st` times the standard deviation over classes, at least 0.

    Curves without points (classes without reference) are left out; no curve at all gives an empty one.
    """
    curves = [c for c in curves if c.efpr.size]
    if not curves:
        return Curve(np.zeros(0), np.zeros(0))
    efpr = np.concatenate([c.efpr for c in curves])
    order = np.argsort(efpr, kind="stable")
    end = _last_of_ties(efpr[order])
    # One pass over the steps of all curves: the sums of heights and of their squares change by what each step adds.
    height = np.concatenate([np.diff(c.tpr, prepend=0.0) for c in curves])
    square = np.concatenate([np.diff(c.tpr**2, prepend=0.0) for c in curves])
    mean, power = (np.cumsum(step[order])[end] / len(curves) for step in (height, square))
    variance = power - mean**2
    deviation = np.sqrt(np.where(variance > NO_VARIANCE, variance, 0.0))
    return Curve(efpr[order][end], np.maximum(mean - alpha_st * deviation, 0.0))


def _last_of_ties(ordered: Float[np.ndarray, " n"]) -> Int[np.ndarray, " distinct"]:
    """Index of the last of each group of equal neighbours."""
    return np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[: ordered.size])
