"""Confidence intervals: bootstrap over clips, comparison of two systems on the same clips, spread over seeds.

A resample draws as many clips as there are, with replacement. It is a row of clip weights: how often a clip is drawn.
A statistic is a function of many such rows, so that a thousand resamples take a few matrix products.

Efron, Tibshirani: An Introduction to the Bootstrap, Chapman & Hall, 1993, chapters 13 and 14.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.metrics.counts import Counts
from wsed.metrics.tagging import mean_known
from wsed.types import Events

Weights = Float[np.ndarray, "resample clip"]
PerResample = Float[np.ndarray, " resample"]
Statistic = Callable[[Weights], PerResample]
"""Maps rows of clip weights to one score per row; NaN if a row has no score. A clip with weight 2 counts twice."""
Method = Literal["bca", "percentile", "centred"]
"""How an interval is computed from the resamples; see `bootstrap`."""
PerClip = Int[np.ndarray, "clip label"]
Count = Callable[..., Counts]
"""A function `(reference, estimated, n_labels, **settings)` that counts events, such as `event_counts`."""

CHUNK = 1 << 22
"""Number of weights in memory at a time (32 MiB), so that memory does not grow with the number of resamples."""


@dataclass(frozen=True)
class ClipCounts:
    """`Counts` of each clip, for a bootstrap over clips.

    >>> counts = ClipCounts(tp=np.array([[1], [0]]), n_ref=np.array([[1], [1]]), n_sys=np.array([[1], [0]]))
    >>> counts.total().recall.tolist()
    [0.5]
    >>> counts.statistic("f1")(np.array([[1.0, 1.0], [2.0, 0.0]])).round(3).tolist()
    [0.667, 1.0]
    """

    tp: PerClip
    n_ref: PerClip
    n_sys: PerClip

    def total(self) -> Counts:
        """The counts of all clips; `n_sub` is 0, since substitutions are not counted per clip."""
        return Counts(self.tp.sum(0), self.n_ref.sum(0), self.n_sys.sum(0))

    def statistic(
        self,
        score: Literal["f1", "precision", "recall"] = "f1",
        average: Literal["macro", "micro"] = "macro",
        label: int | None = None,
    ) -> Statistic:
        """The score as a function of clip weights, with the conventions of `Counts`; of one class if `label` is given.

        A class without reference in a resample is left out of the macro mean of that resample.
        """
        chosen = slice(None) if label is None else slice(label, label + 1)
        tp, n_ref, n_sys = (np.asarray(c[:, chosen], dtype=np.float64) for c in (self.tp, self.n_ref, self.n_sys))
        if average == "micro":
            tp, n_ref, n_sys = (c.sum(1, keepdims=True) for c in (tp, n_ref, n_sys))

        def score_of(weights: Weights) -> PerResample:
            hits, ref, sys = weights @ tp, weights @ n_ref, weights @ n_sys
            parts = {"f1": (2 * hits, ref + sys), "precision": (hits, sys), "recall": (hits, ref)}
            top, bottom = parts[score]
            return mean_known(np.where(ref > 0, top / np.maximum(bottom, 1.0), np.nan))

        return score_of


def clip_counts(
    count: Count, reference: Events, estimated: Events, n_clips: int, n_labels: int, **settings: Any
) -> ClipCounts:
    """Counts of each clip, in one call of a function that counts over all clips.

    Each pair of clip and label becomes a label of its own for that call.

    Args:
        count: `event_counts`, `segment_counts` or another function with this signature.
        reference: true events.
        estimated: detected events.
        n_clips: number of clips, including clips without events.
        n_labels: size of the label axis.
        **settings: further arguments of `count`.

    Raises:
        WsedError: an event lies outside the clips or the labels, or `count` raises it.

    >>> from wsed.metrics import event_counts
    >>> events = Events.of([(0, 0, 1.0, 2.0)])
    >>> clip_counts(event_counts, events, events, n_clips=2, n_labels=1).tp.tolist()
    [[1], [0]]
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
    """A score with a confidence interval.

    Attributes:
        value: score of the clips as they are.
        low, high: confidence limits.
        std: standard deviation over resamples (bootstrap standard error).
        level: confidence level, such as 0.95.
        method: see `bootstrap`.
        resamples: number of resamples; resamples without a score are ignored.
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
    """Scores of two systems on the same clips, second minus first, and the two-sided p-value of no difference."""

    first: float
    second: float
    difference: Interval
    p: float


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over seeds (divisor n - 1; NaN for a single run)."""

    mean: float
    std: float
    runs: int


@checked
def bootstrap(
    statistic: Statistic,
    n_clips: int,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    method: Method = "bca",
    seed: int = 0,
) -> Interval:
    """Confidence interval of a statistic by a bootstrap over clips; the same seed gives the same interval.

    | method | interval |
    |---|---|
    | percentile | percentiles of the resamples |
    | bca | bias-corrected and accelerated percentiles; needs `n_clips` more evaluations |
    | centred | percentiles, shifted so that their median is the score |

    `centred` is for scores that penalise differences between classes, such as PSDS. They are lower in resamples, which
    have fewer distinct clips: the percentiles then do not contain the score, and BCa may shrink to a point.

    Args:
        statistic: the score as a function of clip weights, such as `ClipCounts.statistic` or `ranking_statistic`.
        n_clips: number of clips, and of clips in each resample.
        resamples: number of resamples.
        level: confidence level.
        method: `bca`, `percentile` or `centred`.
        seed: seed of the resamples.

    Raises:
        WsedError: there are no clips or no resamples, the level is outside (0, 1), or the method is unknown.

    >>> mean_weight_of_first = lambda weights: weights[:, 0] / weights.sum(1)
    >>> bootstrap(mean_weight_of_first, n_clips=4, resamples=100, method="percentile").value
    0.25
    """
    _check(n_clips, resamples, level)
    return _interval(statistic, n_clips, _draw(statistic, n_clips, resamples, seed), level, method)


@checked
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
    """Compare two systems by a paired bootstrap: both are scored on the same resamples.

    With `k` of `n` resamples in which the difference is zero or has the other sign, `p` is `2 (k + 1) / (n + 1)`, at
    most 1. The percentile interval of level `1 - p` then just touches 0. `p` is NaN if no resample has a score.

    Args:
        first: score of the first system as a function of clip weights.
        second: score of the second system.
        n_clips: see `bootstrap` for this and the other arguments.

    Raises:
        WsedError: as in `bootstrap`.

    >>> first = lambda weights: weights @ np.array([0.25, 0.25])
    >>> second = lambda weights: weights @ np.array([0.5, 0.5])
    >>> compare(first, second, n_clips=2, resamples=100, method="percentile").difference.value
    0.5
    """
    _check(n_clips, resamples, level)

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
    """Mean and standard deviation of a score over runs with different seeds.

    >>> over_seeds([0.5, 0.75]).mean
    0.625
    """
    runs = np.asarray(list(values), dtype=np.float64)
    if not runs.size:
        raise WsedError("a mean over seeds needs one run or more")
    return Spread(float(runs.mean()), float(runs.std(ddof=1)) if runs.size > 1 else float("nan"), runs.size)


def _check(n_clips: int, resamples: int, level: float) -> None:
    if n_clips < 1 or resamples < 1:
        raise WsedError(f"a bootstrap needs clips and resamples, got {n_clips} and {resamples}")
    if not 0 < level < 1:
        raise WsedError(f"the level of an interval must lie between 0 and 1, not at {level}")


def _draw(statistic: Statistic, n_clips: int, resamples: int, seed: int) -> PerResample:
    if resamples * n_clips <= CHUNK:
        return statistic(_all_weights(n_clips, resamples, seed))
    return np.concatenate([statistic(weights) for weights in _weights(n_clips, resamples, seed)])


@lru_cache(maxsize=1)
def _all_weights(n_clips: int, resamples: int, seed: int) -> Weights:
    """The weights of all resamples, kept for the next number of the same clips."""
    (weights,) = _weights(n_clips, resamples, seed)
    weights.flags.writeable = False
    return weights


def _weights(n_clips: int, resamples: int, seed: int) -> Iterator[Weights]:
    """The weights of the resamples, some rows at a time."""
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK // n_clips)
    for start in range(0, resamples, rows):
        n = min(rows, resamples - start)
        cell = generator.integers(0, n_clips, (n, n_clips)) + np.arange(n)[:, None] * n_clips
        yield np.bincount(cell.ravel(), minlength=n * n_clips).reshape(n, n_clips).astype(np.float64)


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
    """Tail probabilities corrected for bias (share of resamples below the value) and for acceleration (BCa)."""
    normal = NormalDist()
    below = ((drawn < value).mean() + (drawn <= value).mean()) / 2
    # If all resamples were on one side, the correction would be infinite: keep half a resample on the other side.
    edge = 0.5 / drawn.size
    bias = normal.inv_cdf(float(np.clip(below, edge, 1 - edge)))
    known = left_out[~np.isnan(left_out)]
    deviation = known.mean() - known if known.size else np.zeros(1)
    scale = (deviation**2).sum() ** 1.5
    acceleration = float((deviation**3).sum() / (6 * scale)) if scale > 0 else 0.0
    shifted = [bias + normal.inv_cdf(float(tail)) for tail in tails]
    return np.array([normal.cdf(bias + z / (1 - acceleration * z)) for z in shifted])


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
