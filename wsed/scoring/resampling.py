"""Bootstrap intervals of the metrics of a system, and paired comparison of two systems."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.metrics.base import Metric
from wsed.metrics.bootstrap import Method, PerResample, Statistic, Weights, bootstrap, compare
from wsed.metrics.groups import Groups
from wsed.metrics.system import System
from wsed.scoring.plain import Plain, numbers


class Sampled(NamedTuple):
    """A number of a metric as a function of clip weights.

    Attributes:
        metric: name of the metric.
        number: name of the number.
        statistic: the number as a function of the weights of its clips.
        n_clips: number of its clips: those whose events, or whose tags, are known.
        clips: which of all clips these are.
    """

    metric: str
    number: str
    statistic: Statistic
    n_clips: int
    clips: Bool[np.ndarray, " clip"]


Progress = Callable[[Iterable[Sampled]], Iterable[Sampled]]

OF_TAGS = frozenset({"tags", "clip_scores", "embeddings"})
"""Needs of metrics that are computed from the clips with known tags; other metrics need known events."""


@checked
@dataclass(frozen=True)
class Resampling:
    """Settings of the bootstrap; see `wsed.metrics.bootstrap.bootstrap`."""

    resamples: int = 1000
    level: float = 0.95
    method: Method = "centred"
    seed: int = 0


@dataclass(frozen=True)
class Range:
    """Confidence limits and the standard deviation over resamples; limits of a number in [0, 1] lie there too."""

    low: float
    high: float
    std: float


@dataclass(frozen=True)
class Difference:
    """A number of two systems on the same clips, their difference (second minus first), its limits and p-value."""

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Intervals:
    """Confidence limits by metric and number.

    Attributes:
        how: settings of the bootstrap.
        ranges: limits by metric and number.
        groups: number of groups of clips that were drawn whole; 0: each clip was drawn by itself.
    """

    how: Resampling
    ranges: Mapping[str, Mapping[str, Range]] = field(default_factory=dict)
    groups: int = 0

    def of(self, metric: str, number: str) -> Range | None:
        """The limits of a number; None if it has none."""
        return self.ranges.get(metric, {}).get(number)

    def to_dict(self) -> Plain:
        """Plain values by the keys of the JSON file."""
        return {**asdict(self.how), **({"groups": self.groups} if self.groups else {}), **_nested(self.ranges)}

    @staticmethod
    def of_dict(plain: Plain) -> "Intervals":
        """From plain values; None becomes NaN."""
        ranges = {name: _flat(part, Range, "low") for name, part in _metrics(plain)}
        return Intervals(_how(plain), ranges, int(plain.get("groups", 0)))


@dataclass(frozen=True)
class Comparison:
    """Differences by metric and number."""

    how: Resampling
    differences: Mapping[str, Mapping[str, Difference]] = field(default_factory=dict)

    def to_dict(self) -> Plain:
        """Plain values by the keys of the JSON file."""
        return {**asdict(self.how), **_nested(self.differences)}


def samples(system: System, metrics: Mapping[str, Metric]) -> list[Sampled]:
    """The numbers of a system that can be resampled, in the order of the metrics."""
    every = []
    for name, metric in metrics.items():
        resampled = metric.resampled(system) if metric.needs <= system.provides else None
        if resampled is not None:
            known = system.truth.tagged if metric.needs & OF_TAGS else system.truth.timed
            clips = known.any(1).cpu().numpy()
            for number, statistic in resampled.numbers.items():
                # intervals and a comparison use the same resamples, and a PSDS is slow to compute
                kept = cached(statistic) if number == "value" else statistic
                every.append(Sampled(name, number, kept, resampled.n_clips, clips))
    return every


def by_group(sampled: Sequence[Sampled], groups: Groups) -> list[Sampled]:
    """The same numbers as functions of the weights of groups of clips, so that whole groups are drawn.

    Groups are of all clips; a number draws those with clips of its own.

    Raises:
        WsedError: a number is of other clips than the groups.

    >>> from wsed.metrics import EventF1
    >>> from wsed.testing.metrics import system
    >>> groups = Groups.of(["p1", "p1", "p2", "p2", "p3", "p3"])
    >>> [each.n_clips for each in by_group(samples(system(), {"event_f1": EventF1()}), groups)]
    [3, 3]
    """
    drawn = []
    for each in sampled:
        if len(each.clips) != len(groups.places) or each.clips.sum() != each.n_clips:
            raise WsedError(f"{each.metric} is of {each.n_clips} clips, the groups are of {len(groups.places)}")
        own = groups.select(each.clips)
        drawn.append(each._replace(statistic=own.statistic(each.statistic), n_clips=len(own)))
    return drawn


def resample(sampled: Sequence[Sampled], how: Resampling | None = None, progress: Progress = iter) -> Intervals:
    """Bootstrap intervals over clips; numbers of a single clip are left out.

    Args:
        sampled: the numbers, see `samples`.
        how: settings of the bootstrap; the defaults if None.
        progress: wrapped around the numbers, to show progress.

    >>> from wsed.metrics import EventF1
    >>> from wsed.testing.metrics import system
    >>> intervals = resample(samples(system(), {"event_f1": EventF1()}), Resampling(resamples=20))
    >>> limits = intervals.of("event_f1", "micro")
    >>> 0 <= limits.low <= limits.high <= 1
    True
    """
    how = how or Resampling()
    ranges: dict[str, dict[str, Range]] = {}
    for each in progress(sampled):
        if each.n_clips > 1:  # a single clip has no interval
            interval = bootstrap(each.statistic, each.n_clips, **asdict(how))
            low, high = interval.low, interval.high
            if 0 <= interval.value <= 1:  # other numbers may be of any size
                low, high = max(low, 0.0), min(high, 1.0)
            ranges.setdefault(each.metric, {})[each.number] = Range(low, high, interval.std)
    return Intervals(how, ranges)


def compare_samples(
    first: Sequence[Sampled], second: Sequence[Sampled], how: Resampling | None = None, progress: Progress = iter
) -> Comparison:
    """Paired bootstrap of two systems on the same clips (second minus first); arguments as in `resample`.

    Numbers that only one system has, and numbers of a single clip, are left out.

    >>> from wsed.metrics import EventF1
    >>> from wsed.testing.metrics import system
    >>> same = samples(system(), {"event_f1": EventF1()})
    >>> compare_samples(same, same, Resampling(resamples=20)).differences["event_f1"]["micro"].difference
    0.0
    """
    how = how or Resampling()
    other = {(each.metric, each.number): each.statistic for each in second}
    differences: dict[str, dict[str, Difference]] = {}
    for each in progress([each for each in first if (each.metric, each.number) in other]):
        if each.n_clips < 2:  # a single clip has no interval
            continue
        result = compare(each.statistic, other[each.metric, each.number], each.n_clips, **asdict(how))
        change = result.difference
        row = Difference(result.first, result.second, change.value, change.low, change.high, result.p)
        differences.setdefault(each.metric, {})[each.number] = row
    return Comparison(how, differences)


def cached(statistic: Statistic) -> Statistic:
    """A statistic that keeps its results, so that the same weights are computed once."""
    known: dict[bytes, PerResample] = {}

    def lookup(weights: Weights) -> PerResample:
        key = hashlib.blake2b(weights.tobytes(), digest_size=16).digest()
        if key not in known:
            known[key] = statistic(weights)
        return known[key]

    return lookup


def _nested(parts: Mapping[str, Mapping[str, Range]] | Mapping[str, Mapping[str, Difference]]) -> Plain:
    """Plain values by metric and number; for a metric with one `value`, by metric only."""
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
