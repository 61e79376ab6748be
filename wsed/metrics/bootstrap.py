"""How sure a score is: bootstrap over clips, comparison of two systems on the same clips, spread over seeds.

A resample draws as many clips as there are, with replacement; that is one row of integer clip weights. A statistic is a
function of many such rows at once, so that a thousand resamples are a few matrix products.

Efron, Tibshirani: An Introduction to the Bootstrap, Chapman & Hall, 1993, chapters 13 and 14.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from wsed.errors import WsedError
from wsed.metrics.counts import Counts
from wsed.metrics.tagging import mean_known
from wsed.types import Events

Weights = Float[np.ndarray, "resample clip"]
PerResample = Float[np.ndarray, " resample"]
Statistic = Callable[[Weights], PerResample]
"""Score of each row of clip weights; a clip of weight 2 counts twice. NaN: this resample has no score."""
Method = Literal["bca", "percentile", "centred"]
"""How an interval is made of the resamples, see `bootstrap`."""
PerClip = Int[np.ndarray, "clip label"]
Count = Callable[..., Counts]
"""`(reference, estimated, n_labels, **settings)`: `event_counts`, `segment_counts` and what else counts events."""

CHUNK = 1 << 22
"""Weights handled at once (32 MiB): memory does not grow with the number of resamples."""


@dataclass(frozen=True)
class ClipCounts:
    """`Counts` of each clip by itself: what a bootstrap over clips needs of a count-based metric."""

    tp: PerClip
    n_ref: PerClip
    n_sys: PerClip

    def total(self) -> Counts:
        """The counts of all clips (substitutions are not kept per clip: `n_sub` is 0)."""
        return Counts(self.tp.sum(0), self.n_ref.sum(0), self.n_sys.sum(0))

    def statistic(
        self,
        score: Literal["f1", "precision", "recall"] = "f1",
        average: Literal["macro", "micro"] = "macro",
        label: int | None = None,
    ) -> Statistic:
        """The score as a function of clip weights, with the conventions of `Counts`; with `label`, of that class only.

        A resample that happens to hold no reference of a class leaves that class out of its macro mean.
        """
        chosen = slice(None) if label is None else slice(label, label + 1)
        tp, n_ref, n_sys = (np.asarray(c[:, chosen], dtype=np.float64) for c in (self.tp, self.n_ref, self.n_sys))
        if average == "micro":
            tp, n_ref, n_sys = (c.sum(1, keepdims=True) for c in (tp, n_ref, n_sys))

        def of(weights: Weights) -> PerResample:
            hits, ref, sys = weights @ tp, weights @ n_ref, weights @ n_sys
            parts = {"f1": (2 * hits, ref + sys), "precision": (hits, sys), "recall": (hits, ref)}
            top, bottom = parts[score]
            return mean_known(np.where(ref > 0, top / np.maximum(bottom, 1.0), np.nan))

        return of


def clip_counts(
    count: Count, reference: Events, estimated: Events, n_clips: int, n_labels: int, **settings: Any
) -> ClipCounts:
    """Counts of each clip from a metric that counts over all clips, in one call of it.

    Each clip gets labels of its own, so that the metric keeps the clips apart by itself.

    Args:
        count: `event_counts`, `segment_counts` or another metric of this signature.
        reference: true events.
        estimated: detected events.
        n_clips: clips in all; those without events count nothing.
        n_labels: size of the label axis.
        settings: passed on to `count`.

    Raises:
        WsedError: an event lies outside the clips or the labels, or as `count` raises.
    """
    for events in (reference, estimated):
        for index, size in ((events.clip, n_clips), (events.label, n_labels)):
            if len(events) and not 0 <= int(index.min()) <= int(index.max()) < size:
                raise WsedError(f"events must lie in {n_clips} clips and {n_labels} labels")

    def spread(events: Events) -> Events:
        label = events.clip * n_labels + events.label
        return Events(events.clip, label, events.onset, events.offset, events.gain)

    counts = count(spread(reference), spread(estimated), n_clips * n_labels, **settings)
    return ClipCounts(*(c.reshape(n_clips, n_labels) for c in (counts.tp, counts.n_ref, counts.n_sys)))


@dataclass(frozen=True)
class Interval:
    """A score and where it may lie.

    Attributes:
        value: of the clips as they are.
        low, high: confidence limits.
        std: standard deviation over resamples (bootstrap standard error).
        level: share of confidence, such as 0.95.
        method: as for `bootstrap`.
        resamples: drawn; those without a score are left out of all figures.
    """

    value: float
    low: float
    high: float
    std: float
    level: float
    method: str
    resamples: int


@dataclass(frozen=True)
class Comparison:
    """Second system minus first on the same clips, and the two-sided p of no difference."""

    first: float
    second: float
    difference: Interval
    p: float


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (n - 1; NaN for a single run) over seeds."""

    mean: float
    std: float
    runs: int


def bootstrap(
    statistic: Statistic,
    n_clips: int,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    method: Method = "bca",
    seed: int = 0,
) -> Interval:
    """Confidence interval of a statistic over clips; the same seed gives the same interval.

    Args:
        statistic: from rows of clip weights, as `ClipCounts.statistic` and `ranking_statistic` give.
        n_clips: clips to draw from and to draw.
        resamples: number of draws.
        level: share of confidence.
        method: `percentile`; `bca` (bias-corrected and accelerated; n_clips more evaluations); or `centred`: the
            percentiles moved by the difference between the score and their median. A score that punishes differences
            between classes, as PSDS does, is lower in resamples, which hold fewer different clips: percentiles then
            lie beside the score, and BCa may shrink to a point.
        seed: of the draws.

    Raises:
        WsedError: no clips, no resamples, a level outside (0, 1) or an unknown method.
    """
    _check(n_clips, resamples, level, method)
    return _interval(statistic, n_clips, _draw(statistic, n_clips, resamples, seed), level, method)


def compare(
    first: Statistic,
    second: Statistic,
    n_clips: int,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    method: Method = "bca",
    seed: int = 0,
) -> Comparison:
    """Paired bootstrap: both systems are scored on the same resamples, so that hard clips are hard for both.

    `p` is twice the share of resamples, counted with one more, in which the difference has the other sign or is zero
    (at most 1): an interval by percentiles of level `1 - p` just touches 0. NaN where there is no difference to score.

    Raises:
        WsedError: as `bootstrap`.
    """
    _check(n_clips, resamples, level, method)

    def difference(weights: Weights) -> PerResample:
        return second(weights) - first(weights)

    drawn = _draw(difference, n_clips, resamples, seed)
    known = drawn[~np.isnan(drawn)]
    tail = min(int((known <= 0).sum()), int((known >= 0).sum()))
    p = min(1.0, 2 * (tail + 1) / (known.size + 1)) if known.size else float("nan")
    all_clips = np.ones((1, n_clips))
    interval = _interval(difference, n_clips, drawn, level, method)
    return Comparison(float(first(all_clips)[0]), float(second(all_clips)[0]), interval, p)


def over_seeds(values: Iterable[float]) -> Spread:
    """Mean and standard deviation of one score over runs that differ in their seed."""
    runs = np.asarray(list(values), dtype=np.float64)
    if not runs.size:
        raise WsedError("a mean over seeds needs one run or more")
    return Spread(float(runs.mean()), float(runs.std(ddof=1)) if runs.size > 1 else float("nan"), runs.size)


def _check(n_clips: int, resamples: int, level: float, method: str) -> None:
    if n_clips < 1 or resamples < 1:
        raise WsedError(f"a bootstrap needs clips and resamples, got {n_clips} and {resamples}")
    if not 0 < level < 1:
        raise WsedError(f"the level of an interval lies between 0 and 1, not at {level}")
    if method not in ("bca", "percentile", "centred"):
        raise WsedError(f"a bootstrap interval is percentile, bca or centred, not {method!r}")


def _draw(statistic: Statistic, n_clips: int, resamples: int, seed: int) -> PerResample:
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK // n_clips)
    parts = []
    for start in range(0, resamples, rows):
        n = min(rows, resamples - start)
        cell = generator.integers(0, n_clips, (n, n_clips)) + np.arange(n)[:, None] * n_clips
        weights = np.bincount(cell.ravel(), minlength=n * n_clips).reshape(n, n_clips)
        parts.append(statistic(weights.astype(np.float64)))
    return np.concatenate(parts)


def _interval(statistic: Statistic, n_clips: int, drawn: PerResample, level: float, method: Method) -> Interval:
    value = float(statistic(np.ones((1, n_clips)))[0])
    known = drawn[~np.isnan(drawn)]
    if not known.size or np.isnan(value):
        nan = float("nan")
        return Interval(value, nan, nan, nan, level, method, drawn.size)
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if method == "bca":
        tails = _accelerated(tails, known, value, _jackknife(statistic, n_clips))
    low, high = np.quantile(known, tails) + (value - np.median(known) if method == "centred" else 0.0)
    std = float(known.std(ddof=1)) if known.size > 1 else 0.0
    return Interval(value, float(low), float(high), std, level, method, drawn.size)


def _accelerated(
    tails: Float[np.ndarray, "2"], drawn: PerResample, value: float, left_out: Float[np.ndarray, " clip"]
) -> Float[np.ndarray, "2"]:
    """The tails corrected for bias (share of resamples below the value) and for a spread that grows with the value."""
    normal = NormalDist()
    below = ((drawn < value).mean() + (drawn <= value).mean()) / 2
    # All resamples on one side would put the correction at infinity: keep half a resample back.
    edge = 0.5 / drawn.size
    bias = normal.inv_cdf(float(np.clip(below, edge, 1 - edge)))
    known = left_out[~np.isnan(left_out)]
    away = known.mean() - known if known.size else np.zeros(1)
    scale = (away**2).sum() ** 1.5
    bend = float((away**3).sum() / (6 * scale)) if scale > 0 else 0.0
    shifted = [bias + normal.inv_cdf(float(tail)) for tail in tails]
    return np.array([normal.cdf(bias + z / (1 - bend * z)) for z in shifted])


def _jackknife(statistic: Statistic, n_clips: int) -> Float[np.ndarray, " clip"]:
    """The statistic with each clip left out in turn; NaN for a single clip."""
    if n_clips == 1:
        return np.full(1, np.nan)
    rows = max(1, CHUNK // n_clips)
    parts = []
    for start in range(0, n_clips, rows):
        n = min(rows, n_clips - start)
        weights = np.ones((n, n_clips))
        weights[np.arange(n), start + np.arange(n)] = 0.0
        parts.append(statistic(weights))
    return np.concatenate(parts)
