"""Bootstrap intervals of every metric of a system, and the paired comparison of two systems."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

from wsed.metrics.base import Metric
from wsed.metrics.bootstrap import Method, PerResample, Statistic, Weights, bootstrap, compare
from wsed.metrics.system import System
from wsed.scoring.plain import Plain, numbers


class Sampled(NamedTuple):
    """One number of one metric, as a function of clip weights."""

    metric: str
    number: str
    statistic: Statistic
    n_clips: int


Progress = Callable[[Iterable[Sampled]], Iterable[Sampled]]


@dataclass(frozen=True)
class Resampling:
    """How the clips are drawn: arguments of `bootstrap`."""

    resamples: int = 1000
    level: float = 0.95
    method: Method = "centred"
    seed: int = 0


@dataclass(frozen=True)
class Range:
    """Confidence limits, cut to [0, 1], and the standard deviation over resamples."""

    low: float
    high: float
    std: float


@dataclass(frozen=True)
class Difference:
    """A number of two systems on the same clips: second minus first, its limits, and the two-sided p of none."""

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Intervals:
    """Ranges by metric and number."""

    how: Resampling
    ranges: Mapping[str, Mapping[str, Range]] = field(default_factory=dict)

    def of(self, metric: str, number: str) -> Range | None:
        """The range of a number; None if it was not resampled."""
        return self.ranges.get(metric, {}).get(number)

    def to_dict(self) -> Plain:
        """Plain values by the keys of the JSON file."""
        return {**asdict(self.how), **_nested(self.ranges)}

    @staticmethod
    def of_dict(plain: Plain) -> "Intervals":
        """From plain values; null is NaN."""
        return Intervals(_how(plain), {name: _flat(part, Range, "low") for name, part in _metrics(plain)})


@dataclass(frozen=True)
class Comparison:
    """Differences by metric and number."""

    how: Resampling
    differences: Mapping[str, Mapping[str, Difference]] = field(default_factory=dict)

    def to_dict(self) -> Plain:
        """Plain values by the keys of the JSON file."""
        return {**asdict(self.how), **_nested(self.differences)}


def samples(system: System, metrics: Mapping[str, Metric]) -> list[Sampled]:
    """Every number of a system that resamples of the clips can be drawn of, in the order of the metrics."""
    every = []
    for name, metric in metrics.items():
        resampled = metric.resampled(system) if metric.needs <= system.provides else None
        if resampled is not None:
            for number, statistic in resampled.numbers.items():
                # intervals and a comparison ask for the same resamples; a PSDS is worth remembering
                kept = remembered(statistic) if number == "value" else statistic
                every.append(Sampled(name, number, kept, resampled.n_clips))
    return every


def resample(sampled: Sequence[Sampled], how: Resampling | None = None, progress: Progress = iter) -> Intervals:
    """Bootstrap intervals over clips; what is of one clip only is left out.

    Args:
        sampled: see `samples`.
        how: the clips are drawn.
        progress: wrapped around the numbers, to show how far it is.
    """
    how = how or Resampling()
    ranges: dict[str, dict[str, Range]] = {}
    for each in progress(sampled):
        if each.n_clips > 1:  # one clip says nothing about others
            interval = bootstrap(each.statistic, each.n_clips, **asdict(how))
            limits = Range(max(interval.low, 0.0), min(interval.high, 1.0), interval.std)
            ranges.setdefault(each.metric, {})[each.number] = limits
    return Intervals(how, ranges)


def compare_samples(
    first: Sequence[Sampled], second: Sequence[Sampled], how: Resampling | None = None, progress: Progress = iter
) -> Comparison:
    """Paired bootstrap of two systems on the same clips: second minus first.

    Numbers that only one of them has, or that are of one clip only, are left out. Arguments as for `resample`.
    """
    how = how or Resampling()
    other = {(each.metric, each.number): each.statistic for each in second}
    differences: dict[str, dict[str, Difference]] = {}
    for each in progress([each for each in first if (each.metric, each.number) in other]):
        if each.n_clips < 2:  # one clip says nothing about others
            continue
        result = compare(each.statistic, other[each.metric, each.number], each.n_clips, **asdict(how))
        change = result.difference
        row = Difference(result.first, result.second, change.value, change.low, change.high, result.p)
        differences.setdefault(each.metric, {})[each.number] = row
    return Comparison(how, differences)


def remembered(statistic: Statistic) -> Statistic:
    """The statistic that does not score the same weights twice."""
    known: dict[bytes, PerResample] = {}

    def of(weights: Weights) -> PerResample:
        key = hashlib.blake2b(weights.tobytes(), digest_size=16).digest()
        if key not in known:
            known[key] = statistic(weights)
        return known[key]

    return of


def _nested(parts: Mapping[str, Mapping[str, Range]] | Mapping[str, Mapping[str, Difference]]) -> Plain:
    """By metric, then by number; the one `value` of a score stands for the metric."""
    plain: dict[str, object] = {}
    for name, of_metric in parts.items():
        rows = {number: asdict(row) for number, row in of_metric.items()}
        plain[name] = rows["value"] if set(rows) == {"value"} else rows
    return plain


def _how(plain: Plain) -> Resampling:
    return Resampling(int(plain["resamples"]), float(plain["level"]), plain["method"], int(plain["seed"]))


def _metrics(plain: Plain) -> Iterator[tuple[str, Plain]]:
    return ((name, part) for name, part in plain.items() if isinstance(part, Mapping))


def _flat(part: Plain, row: type[Range], key: str) -> dict[str, Range]:
    return {name: row(**numbers(values)) for name, values in ({"value": part} if key in part else part).items()}
