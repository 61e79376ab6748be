"""The base class of metrics and their registry. A metric computes numbers from a `System`.

A new metric needs one registered class:

    @METRICS.register("onset_f1")
    class OnsetF1(CountedEvents):
        title = "onset F1"

        def count(self, reference, detected, n_labels):
            return event_counts(reference, detected, n_labels, offset_collar=None)

Then `wsed test` and `wsed evaluate` compute it, and it appears in tables, logs, intervals and comparisons.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from wsed.metrics.bootstrap import Statistic
from wsed.metrics.counts import Counts
from wsed.metrics.roc import Curve
from wsed.metrics.system import System
from wsed.registry import Registry

Number = float | int
PerClass = Mapping[str, Mapping[str, Number]]


@dataclass(frozen=True)
class Curves:
    """PSD-ROC curves: `roc` of all classes together, and `class_rocs` of each class by its name."""

    roc: Curve
    class_rocs: Mapping[str, Curve]


@dataclass(frozen=True)
class ThresholdCurve:
    """Counts of one class at falling thresholds, from which F1, precision and recall over thresholds follow.

    Attributes:
        threshold: falling thresholds; items with a score above it are detected. From scores, the first is infinity
            (nothing is detected); from operating points, only their own thresholds are given.
        tp: hits.
        n_sys: detections, hits and false alarms together.
        n_ref: reference items.

    >>> curve = ThresholdCurve(np.array([np.inf, 0.5]), np.array([0, 2]), np.array([0, 4]), n_ref=2)
    >>> curve.f1.round(3).tolist(), curve.precision.tolist(), curve.recall.tolist(), curve.best
    ([0.0, 0.667], [0.0, 0.5], [0.0, 1.0], 1)
    >>> curve.thin(1).threshold.tolist()
    [0.5]
    """

    threshold: Float[np.ndarray, " threshold"]
    tp: Int[np.ndarray, " threshold"]
    n_sys: Int[np.ndarray, " threshold"]
    n_ref: int

    @property
    def precision(self) -> Float[np.ndarray, " threshold"]:
        """Hits per detection; 0 where nothing is detected."""
        share: Float[np.ndarray, " threshold"] = self.tp / np.maximum(self.n_sys, 1)
        return share

    @property
    def recall(self) -> Float[np.ndarray, " threshold"]:
        """Hits per reference item; NaN without any."""
        return np.full(self.tp.size, np.nan) if self.n_ref == 0 else self.tp / self.n_ref

    @property
    def f1(self) -> Float[np.ndarray, " threshold"]:
        """F1; NaN for a class without reference."""
        return np.where(self.n_ref > 0, 2 * self.tp / np.maximum(self.n_ref + self.n_sys, 1), np.nan)

    @property
    def best(self) -> int:
        """Index of the highest threshold with the best F1."""
        return int(np.nan_to_num(self.f1, nan=-1.0).argmax())

    def thin(self, most: int) -> "ThresholdCurve":
        """At most `most` points: the best one, and others at equal steps of rank."""
        if self.threshold.size <= most:
            return self
        steps = np.linspace(0, self.threshold.size - 1, max(most - 1, 0)).round().astype(np.int64)
        keep = np.unique(np.append(steps, self.best))
        return ThresholdCurve(self.threshold[keep], self.tp[keep], self.n_sys[keep], self.n_ref)


@dataclass(frozen=True)
class MetricValue:
    """The numbers of one metric; NaN if a number is not defined.

    Attributes:
        numbers: numbers by name; the first is the main number. F1 metrics have `macro`, `micro` and more; other metrics
            have one `value`.
        per_class: numbers of each class by its name, such as `{"f1": 0.5, "n_ref": 12}` or `{"value": 0.3}`.
        counts: the counts of an F1 metric.
        curves: the curves of a metric that is an area.
        settings: settings of the metric that are reported with it.
        over_thresholds: counts of each class over thresholds, if the metric searches for the best threshold.

    >>> MetricValue({"macro": 0.5, "micro": 0.75}).main
    0.5
    """

    numbers: Mapping[str, Number]
    per_class: PerClass = field(default_factory=dict)
    counts: Counts | None = None
    curves: Curves | None = None
    settings: Mapping[str, float | int | None] = field(default_factory=dict)
    over_thresholds: Mapping[str, ThresholdCurve] = field(default_factory=dict)

    @property
    def main(self) -> Number:
        """The main number: the first one, or NaN if there are none."""
        return next(iter(self.numbers.values()), float("nan"))

    @property
    def is_single(self) -> bool:
        """Whether the metric has one `value` instead of macro and micro averages."""
        return "value" in self.numbers


@dataclass(frozen=True)
class Resampled:
    """Numbers of a metric as functions of clip weights, for intervals and comparisons.

    Attributes:
        n_clips: number of clips.
        numbers: functions by the names of `MetricValue.numbers`; see `wsed.metrics.bootstrap.Statistic`.
    """

    n_clips: int
    numbers: Mapping[str, Statistic]


class Metric(ABC):
    """Base class of metrics. Subclasses are registered with `@METRICS.register("name")`.

    Attributes:
        title: name in tables.
        needs: the parts of a system that it reads; see `System.provides`.
        place: position in tables and reports; lower numbers come first.
        by_default: whether it is computed if no metrics are named.
        numbers: names of the numbers that `compute` may give, the main one first. `rank_by` and the `mode` of callbacks
            are checked by them; empty: they are not checked.
        class_numbers: names of the numbers of each class.
        not_scores: names in `numbers` and `class_numbers` for which a greater value is not better: error rates, counts
            and thresholds. Epochs cannot be ranked by them, and callbacks may monitor the main one with either `mode`.

    >>> from wsed.metrics import EventF1
    >>> from wsed.testing.metrics import system
    >>> metric = EventF1()
    >>> value = metric.compute(system())
    >>> metric.logged("event_f1", value)["event_f1"] == value.main
    True
    >>> metric.line(value)
    'events: error rate 0.57 (0 S, 2 D, 2 I)'
    >>> sorted(metric.resampled(system()).numbers)
    ['macro', 'micro']
    """

    title: ClassVar[str]
    needs: ClassVar[frozenset[str]]
    place: ClassVar[int] = 100
    by_default: ClassVar[bool] = True
    numbers: ClassVar[tuple[str, ...]] = ()
    class_numbers: ClassVar[tuple[str, ...]] = ()
    not_scores: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def is_score(cls, number: str) -> bool:
        """Whether a greater value of a number is better; an empty name means the main number.

        >>> METRICS["event_f1"].is_score(""), METRICS["event_f1"].is_score("macro_error_rate")
        (True, False)
        """
        return (number or next(iter(cls.numbers), "")).rpartition("/")[2] not in cls.not_scores

    @abstractmethod
    def compute(self, system: System) -> MetricValue:
        """The numbers of a system that provides what the metric needs."""

    def resampled(self, system: System) -> Resampled | None:
        """The numbers as functions of clip weights; None if there are no intervals."""
        return None

    def logged(self, name: str, value: MetricValue) -> Mapping[str, Number]:
        """The numbers that training logs after each validation, by their names in the log."""
        return {name: value.main}

    def line(self, value: MetricValue) -> str | None:
        """A line below the table of a report; None if there is no line."""
        return None


METRICS: Registry[type[Metric]] = Registry("metric", "wsed.metrics", Metric)


def default_metrics() -> dict[str, Metric]:
    """Every registered metric that is computed by default, by its name, in the order of tables.

    >>> {"event_f1", "segment_f1", "psds1"} <= default_metrics().keys()
    True
    """
    return {name: METRICS[name]() for name in ordered(METRICS.names()) if METRICS[name].by_default}


def ordered(names: list[str]) -> list[str]:
    """Sort names of metrics in the order of tables; unknown names come last.

    >>> ordered(["tagging_f1", "event_f1:onset_collar=0.5", "event_f1"])
    ['event_f1:onset_collar=0.5', 'event_f1', 'tagging_f1']
    """
    bare = {name: name.partition(":")[0] for name in names}
    place = {name: METRICS[bare[name]].place if bare[name] in METRICS else Metric.place for name in names}
    return sorted(names, key=lambda name: place[name])


def title_of(name: str) -> str:
    """The title of a metric in tables, with its settings; of an unknown metric, its name with spaces.

    >>> title_of("event_f1"), title_of("event_f1:onset_collar=0.5"), title_of("my_metric")
    ('event F1', 'event F1 onset_collar=0.5', 'my metric')
    """
    bare, _, settings = name.partition(":")
    title = METRICS[bare].title if bare in METRICS else bare.replace("_", " ")
    return f"{title} {settings.replace(',', ' ')}".rstrip()
