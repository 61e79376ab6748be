"""Means and standard deviations over seeds, and differences between rows with intervals.

All intervals are Student's t intervals over seeds. Differences are paired by seed.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from wsed.errors import WsedError
from wsed.metrics.bootstrap import Spread, over_seeds


@dataclass(frozen=True)
class Difference:
    """The mean of differences, with an interval and a test against 0.

    Args:
        mean: mean of the differences; NaN if one of them is NaN.
        low: lower end of the interval; NaN for fewer than two differences.
        high: upper end of the interval; NaN for fewer than two differences.
        p: p value of the two-sided one-sample t test; for paired differences this is the paired t test.
        n: number of differences.

    >>> print(Difference(mean=2.0, low=1.0, high=3.0, p=0.01, n=5))
    +2.0 [+1.0, +3.0]
    """

    mean: float
    low: float
    high: float
    p: float
    n: int

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
        mean = float(several.mean()) if several.size else math.nan
        return Difference(mean, math.nan, math.nan, math.nan, several.size)
    mean, error = float(several.mean()), float(several.std(ddof=1) / several.size**0.5)
    half = _quantile(0.5 + level / 2, several.size - 1.0) * error
    p = _two_sided(mean / error, several.size - 1.0) if error else float(mean == 0)
    return Difference(mean, mean - half, mean + half, p, several.size)


def welch(first: Spread, second: Spread) -> float:
    """P value of Welch's t test, from the means and standard deviations that papers print.

    >>> round(welch(Spread(30.15, 0.79, 10), Spread(31.50, 1.83, 10)), 3)
    0.053
    """
    parts = [result.std**2 / result.runs for result in (first, second)]
    freedom = sum(parts) ** 2 / sum(
        part**2 / (result.runs - 1) for part, result in zip(parts, (first, second), strict=True)
    )
    return _two_sided((second.mean - first.mean) / sum(parts) ** 0.5, freedom)


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
