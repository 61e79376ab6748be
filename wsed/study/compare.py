"""Means and standard deviations over seeds, and differences between rows with intervals.

Differences are paired by seed. Intervals are Student's, over seeds; `wsed.study.crossed` has those over recordings too.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from wsed.errors import WsedError
from wsed.metrics.bootstrap import over_seeds


@dataclass(frozen=True)
class Difference:
    """The mean of differences, with an interval and a test against 0.

    Args:
        mean: mean of the differences; NaN if one of them is NaN.
        low: lower end of the interval; NaN for fewer than two differences.
        high: upper end of the interval; NaN for fewer than two differences.
        p: p value of the two-sided one-sample t test; for paired differences this is the paired t test.
        n: number of differences.
        error: standard error of the mean; NaN for fewer than two differences.
        freedom: degrees of freedom of the test.
        groups: number of groups of recordings that the interval is also drawn over; 0: over seeds only.
        of_groups: the part of the error that comes from the groups; more seeds do not make it smaller.

    >>> print(Difference(mean=2.0, low=1.0, high=3.0, p=0.01, n=5))
    +2.0 [+1.0, +3.0]
    """

    mean: float
    low: float
    high: float
    p: float
    n: int
    error: float = math.nan
    freedom: float = math.nan
    groups: int = 0
    of_groups: float = 0.0

    @property
    def deviation(self) -> float:
        """Standard deviation of the paired differences over seeds.

        >>> round(difference([1.0, 2.0, 3.0]).deviation, 3)
        1.0
        """
        return float((max(self.error**2 - self.of_groups**2, 0.0) * self.n) ** 0.5)

    def within(self, margin: float, alpha: float = 0.05) -> bool:
        """Whether the difference is less than a margin either way, by two one-sided t tests (Schuirmann 1987).

        A wide interval is never within: both tests must reject at `alpha`.

        >>> difference([-0.1, 0.1, 0.0]).within(1.0), difference([-4.0, 4.0, 0.0]).within(1.0)
        (True, False)
        """
        if math.isnan(self.error) or math.isnan(self.mean):
            return False
        if not self.error:
            return abs(self.mean) < margin
        return margin - abs(self.mean) > _quantile(1 - alpha, self.freedom) * self.error

    def __str__(self) -> str:
        if math.isnan(self.mean):
            return "-"
        return f"{self.mean:+.1f}" + (f" [{self.low:+.1f}, {self.high:+.1f}]" if self.n > 1 else "")


def known(values: Iterable[float]) -> list[float]:
    """The values that are not NaN.

    >>> known([1.0, math.nan])
    [1.0]
    """
    return [value for value in values if not math.isnan(value)]


def spread(values: Iterable[float]) -> str:
    """Mean and standard deviation (n - 1) as text for tables; `-` if there are no values.

    >>> spread([20.0, 40.0]), spread([20.0]), spread([])
    ('30.0 +- 14.1', '20.0', '-')
    """
    several = list(values)
    if not several or math.isnan(over_seeds(several).mean):
        return "-"
    result = over_seeds(several)
    return f"{result.mean:.1f}" + (f" +- {result.std:.1f}" if result.runs > 1 else "")


def paired(first: Mapping[str, float], second: Mapping[str, float]) -> list[float]:
    """Differences second minus first, for the seeds that both have.

    >>> paired({"seed_0": 1.0, "seed_1": 2.0}, {"seed_1": 5.0, "seed_2": 7.0})
    [3.0]
    """
    return [second[seed] - first[seed] for seed in sorted(first.keys() & second.keys())]


def difference(values: Iterable[float], level: float = 0.95) -> Difference:
    """The mean of differences with its interval and p value.

    >>> print(difference([8.0, 10.0, 12.0]))
    +10.0 [+5.0, +15.0]
    """
    several = np.asarray(list(values), dtype=np.float64)
    if several.size < 2 or np.isnan(several).any():
        return interval(float(several.mean()) if several.size else math.nan, 0.0, math.nan, several.size, level)
    error = float(several.std(ddof=1) / several.size**0.5)
    return interval(float(several.mean()), error, several.size - 1.0, several.size, level)


def interval(
    mean: float,
    error: float,
    freedom: float,
    n: int,
    level: float = 0.95,
    groups: int = 0,
    of_groups: float = 0.0,
) -> Difference:
    """A mean with its interval and p value, from its standard error and degrees of freedom.

    Args:
        mean: the mean.
        error: its standard error.
        freedom: degrees of freedom; NaN: there is no interval.
        n: number of seeds.
        level: confidence level.
        groups: number of groups of recordings.
        of_groups: the part of the error that comes from them.

    >>> print(interval(10.0, 2.0, freedom=1e6, n=5))
    +10.0 [+6.1, +13.9]
    """
    if math.isnan(freedom) or math.isnan(mean) or math.isnan(error):
        return Difference(mean, math.nan, math.nan, math.nan, n, groups=groups)
    half = _quantile(0.5 + level / 2, freedom) * error
    p = _two_sided(mean / error, freedom) if error else float(mean == 0)
    return Difference(mean, mean - half, mean + half, p, n, error, freedom, groups, of_groups)


def seeds_needed(effect: float, deviation: float, power: float = 0.8, most: int = 1000) -> int:
    """The seeds that a paired t test at 5 % needs to find an effect with the given power; `most` if it needs more.

    Args:
        effect: the difference to be found.
        deviation: standard deviation of the paired differences over seeds.
        power: probability that the test finds it.
        most: greatest result.

    >>> seeds_needed(effect=4.0, deviation=4.0), seeds_needed(effect=1.0, deviation=4.0)
    (10, 128)
    """
    if not effect or math.isnan(effect) or math.isnan(deviation):
        return most
    if not deviation:
        return 2
    return next((n for n in range(2, most) if _power(abs(effect) / deviation, n) >= power), most)


def _power(size: float, n: int) -> float:
    _check_scipy()
    from scipy.stats import nct

    return float(nct.sf(_quantile(0.975, n - 1.0), n - 1.0, size * n**0.5))


def p_text(p: float) -> str:
    """A p value as text for tables.

    >>> p_text(0.001), p_text(0.25)
    ('p < 0.01', 'p 0.25')
    """
    return "p < 0.01" if p < 0.01 else f"p {p:.2f}"


def _quantile(share: float, freedom: float) -> float:
    _check_scipy()
    from scipy.stats import t as student

    return float(student.ppf(share, freedom))


def _two_sided(t: float, freedom: float) -> float:
    _check_scipy()
    from scipy.stats import t as student

    return float(2 * student.sf(abs(t), freedom))


def _check_scipy() -> None:
    if find_spec("scipy") is None:
        raise WsedError("intervals over seeds need scipy: pip install 'wsed[study]'")
