"""What every metric promises: a system in, numbers out. A metric is registered, and then reported everywhere.

    @METRICS.register("onset_f1")
    class OnsetF1(CountedEvents):
        title = "onset F1"

        def count(self, reference, detected, n_labels):
            return event_counts(reference, detected, n_labels, offset_collar=None)

That is all: it appears in `wsed test`, `wsed evaluate`, their tables, the log, the intervals and comparisons.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from wsed.metrics.bootstrap import Statistic
from wsed.metrics.counts import Counts
from wsed.metrics.roc import Curve
from wsed.metrics.system import System
from wsed.registry import Registry

Number = float | int
PerClass = Mapping[str, Mapping[str, Number]]


@dataclass(frozen=True)
class Curves:
    """PSD-ROC curves: of all classes together, and of each class by its name."""

    roc: Curve
    class_rocs: Mapping[str, Curve]


@dataclass(frozen=True)
class MetricValue:
    """The numbers of one metric. NaN: there is no such number.

    Attributes:
        numbers: by name; the first one stands for the metric. An F1 has `macro` and `micro` and what goes with them, a
            score of its own one `value`.
        per_class: class name -> numbers of the class, such as `{"f1": 0.5, "n_ref": 12}` or `{"value": 0.3}`.
        counts: what an F1 was counted from.
        curves: what a score is the area of.
        settings: of the metric, to be reported beside it.

    >>> MetricValue({"macro": 0.5, "micro": 0.75}).main
    0.5
    """

    numbers: Mapping[str, Number]
    per_class: PerClass = field(default_factory=dict)
    counts: Counts | None = None
    curves: Curves | None = None
    settings: Mapping[str, float | int | None] = field(default_factory=dict)

    @property
    def main(self) -> Number:
        """The first number; NaN if there is none."""
        return next(iter(self.numbers.values()), float("nan"))

    @property
    def is_single(self) -> bool:
        """Whether the metric is one `value`, not averages of F1."""
        return "value" in self.numbers


@dataclass(frozen=True)
class Resampled:
    """Numbers of a metric as functions of clip weights, for intervals and comparisons.

    Attributes:
        n_clips: clips to draw from.
        numbers: names as in `MetricValue.numbers`.
    """

    n_clips: int
    numbers: Mapping[str, Statistic]


class Metric(ABC):
    """One metric of a system. Subclasses are registered: `@METRICS.register("name")`.

    Attributes:
        title: how tables call it.
        needs: what it reads of a system, see `System.provides`.
        place: where it stands in tables and reports: lower numbers come first.
        by_default: whether it is computed unless it is left out by name.
    """

    title: ClassVar[str]
    needs: ClassVar[frozenset[str]]
    place: ClassVar[int] = 100
    by_default: ClassVar[bool] = True

    @abstractmethod
    def compute(self, system: System) -> MetricValue:
        """The numbers of a system that provides what the metric needs."""

    def resampled(self, system: System) -> Resampled | None:
        """Its numbers as functions of clip weights; None: there are no intervals."""
        return None

    def logged(self, name: str, value: MetricValue) -> Mapping[str, Number]:
        """What a training logs after each validation, by the name in the log."""
        return {name: value.main}

    def line(self, value: MetricValue) -> str | None:
        """A line below the table of a report; None: no line."""
        return None


METRICS: Registry[type[Metric]] = Registry("metric", "wsed.metrics", Metric)


def default_metrics() -> dict[str, Metric]:
    """Every registered metric that is computed by default, by its name, in the order of tables.

    >>> {"event_f1", "segment_f1", "psds1"} <= default_metrics().keys()
    True
    """
    return {name: METRICS[name]() for name in ordered(METRICS.names()) if METRICS[name].by_default}


def ordered(names: list[str]) -> list[str]:
    """Names of metrics in the order of tables; unknown ones last."""
    place = {name: METRICS[name].place if name in METRICS else Metric.place for name in names}
    return sorted(names, key=lambda name: place[name])


def title_of(name: str) -> str:
    """What tables call a metric; of an unknown one, its name."""
    return METRICS[name].title if name in METRICS else name.replace("_", " ")
