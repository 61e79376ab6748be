"""The interval of a difference between two rows over training seeds and over test recordings.

A difference varies with the seed of the training and with the test recordings. Its standard error has both parts,
`error^2 = seeds^2 + groups^2`. The part of the seeds is the standard deviation of the paired differences over the root
of their number. The part of the groups is the standard deviation of the mean difference over resamples of groups of
clips. The interval is Student's, with the degrees of freedom of Welch and Satterthwaite. Variation that
depends on both is in both parts, so that intervals tend to be wide.
"""

from collections.abc import Sequence

import numpy as np

from wsed.errors import WsedError
from wsed.metrics.bootstrap import PerResample, Statistic, Weights
from wsed.metrics.groups import Groups
from wsed.study.compare import Difference, interval

DAMPED = 0.25
"""Share by which weights of groups vary if clips are in several groups; products of whole draws are mostly 0."""


def crossed(
    differences: Sequence[float],
    statistics: Sequence[Statistic],
    groups: Groups,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Difference:
    """The mean difference with its interval over seeds and groups.

    Args:
        differences: the difference of each seed, on all clips.
        statistics: the same difference of each seed as a function of clip weights.
        groups: groups of the clips.
        level: confidence level.
        resamples: resamples of the groups.
        seed: seed of the resamples.

    Raises:
        WsedError: there are fewer than two groups.

    >>> gains = np.array([1.0, 2.0, 3.0, 2.0])
    >>> mean_gain = lambda weights: weights @ gains / weights.sum(1)
    >>> result = crossed([1.9, 2.1], [mean_gain, mean_gain], Groups.of(["a", "b", "c", "d"]))
    >>> round(result.mean, 1), result.n, result.groups, result.low < 1.9 < 2.1 < result.high
    (2.0, 2, 4, True)
    """
    if len(groups) < 2:
        raise WsedError(f"an interval over recordings needs two groups or more, not {len(groups)}")
    if len(differences) < 2 or np.isnan(differences).any():
        return of_draws(differences, np.full(resamples, np.nan), groups, level=level)

    def mean(weights: Weights) -> PerResample:
        result: PerResample = np.mean([statistic(weights) for statistic in statistics], axis=0)
        return result

    return of_draws(differences, groups.statistic(mean)(draws(groups, resamples, seed)), groups, level=level)


def draws(groups: Groups, resamples: int = 1000, seed: int = 0) -> Weights:
    """Weights of groups that are drawn with replacement, varied less where clips are of several groups.

    Args:
        groups: groups of the clips.
        resamples: number of resamples.
        seed: seed of the resamples; two calls with the same arguments give the same weights.

    >>> draws(Groups.of(["a", "b"]), 3).sum(1).tolist()
    [2.0, 2.0, 2.0]
    >>> draws(Groups.of([("a", "b")]), 100).min()
    np.float64(0.75)
    """
    size = len(groups)
    counts = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), resamples).astype(np.float64)
    return 1 + _damped(groups) * (counts - 1)


def of_draws(differences: Sequence[float], drawn: PerResample, groups: Groups, *, level: float = 0.95) -> Difference:
    """The mean difference with its interval over seeds and groups.

    Args:
        differences: of each seed, on all clips.
        drawn: their mean for each of the `draws`.
        groups: groups of the clips.
        level: confidence level.

    >>> result = of_draws([1.0, 3.0], np.array([1.9, 2.0, 2.1]), Groups.of(["a", "b", "c"]))
    >>> result.mean, result.n, result.groups
    (2.0, 2, 3)
    """
    n = len(differences)
    if n < 2 or np.isnan(differences).any():
        return interval(float(np.mean(differences)) if n else float("nan"), 0.0, float("nan"), n, level, len(groups))
    of_seeds = float(np.var(differences, ddof=1) / n)
    of_groups = _error(drawn, groups) ** 2
    total = of_seeds + of_groups
    parts = of_seeds**2 / (n - 1) + of_groups**2 / (len(groups) - 1)
    freedom = total**2 / parts if parts else float(n - 1)
    return interval(float(np.mean(differences)), total**0.5, freedom, n, level, len(groups), of_groups**0.5)


def group_error(statistic: Statistic, groups: Groups, resamples: int = 1000, seed: int = 0) -> float:
    """The standard error of a statistic over groups of clips, by a bootstrap by group.

    The deviation is that of a mean: corrected for the number of groups minus one.

    Args:
        statistic: the statistic, a function of clip weights.
        groups: groups of the clips.
        resamples: number of resamples; those without a value are left out.
        seed: seed of the resamples.

    >>> values = np.array([0.0, 2.0])
    >>> mean = lambda weights: weights @ values / weights.sum(1)
    >>> round(group_error(mean, Groups.of(["a", "b"])), 1)
    1.0
    """
    return _error(groups.statistic(statistic)(draws(groups, resamples, seed)), groups)


def _error(drawn: PerResample, groups: Groups) -> float:
    size, known = len(groups), drawn[~np.isnan(drawn)]
    correction = (size / (size - 1)) ** 0.5 if size > 1 else float("nan")
    return float(known.std(ddof=1)) / _damped(groups) * correction if known.size > 1 else float("nan")


def _damped(groups: Groups) -> float:
    return DAMPED if groups.overlap else 1.0
