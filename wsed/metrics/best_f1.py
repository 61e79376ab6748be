"""The best F1 over the thresholds of each class on the same clips: an upper bound, and thresholds for other clips.

Macro F1 is the mean of the best F1 of each class. For segments of 1 s it is a figure of DCASE 2024 task 4.
"""

from abc import abstractmethod
from collections.abc import Iterable

import numpy as np

from wsed.metrics.base import METRICS, Metric, MetricValue, ThresholdCurve
from wsed.metrics.counts import Counts
from wsed.metrics.events import Collars
from wsed.metrics.f1 import F1, EventF1, IntersectionF1, SegmentF1, f1_value
from wsed.metrics.over_thresholds import (
    event_curves,
    intersection_curves,
    item_curves,
    point_curves,
    segment_curves,
)
from wsed.metrics.system import System
from wsed.types import Labels

MOST = 1000
"""Points of a curve that are kept for tables and pictures; the best one is among them."""


KEPT = ("macro", "micro", "macro_precision", "macro_recall", "micro_precision", "micro_recall", "n_ref", "n_sys", "tp")
"""Numbers that do not depend on which false alarm is paired with which miss."""


class BestF1(Metric):
    """Base class: the best F1 of each class over all thresholds, from frame scores or at operating points.

    `over_thresholds` of the value holds the curve of each class.

    >>> from wsed.testing.metrics import system
    >>> [curve.n_ref for curve in BestTaggingF1().curves(system())]
    [2, 3, 2]
    """

    needs = frozenset({"events", "thresholds"})
    by_default = False
    numbers, class_numbers = KEPT, (*F1.class_numbers, "threshold")
    not_scores = ("error_rate", "n_ref", "n_sys", "threshold")

    @abstractmethod
    def curves(self, system: System) -> Iterable[ThresholdCurve]:
        """The curve of each class."""

    def compute(self, system: System) -> MetricValue:
        return best_value(list(self.curves(system)), system.labels)


def best_value(curves: list[ThresholdCurve], labels: Labels) -> MetricValue:
    """The value at the best threshold of each class.

    >>> curve = ThresholdCurve(np.array([np.inf, 0.5]), np.array([0, 2]), np.array([0, 4]), n_ref=2)
    >>> round(best_value([curve], Labels(["dog"])).per_class["dog"]["f1"], 3)
    0.667
    """
    best = [curve.best for curve in curves]
    rows = [(curve.tp[i], curve.n_ref, curve.n_sys[i]) for curve, i in zip(curves, best, strict=True)]
    tp, n_ref, n_sys = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    value = f1_value(Counts(tp, n_ref, n_sys), labels)
    limits = {
        label: float(curve.threshold[i]) if curve.n_ref else float("nan")
        for label, curve, i in zip(labels, curves, best, strict=True)
    }
    return MetricValue(
        {name: number for name, number in value.numbers.items() if name in KEPT},
        {label: {**own, "threshold": limits[label]} for label, own in value.per_class.items()},
        over_thresholds={label: curve.thin(MOST) for label, curve in zip(labels, curves, strict=True)},
    )


@METRICS.register("best_event_f1")
class BestEventF1(BestF1):
    """Best event F1 over thresholds of each class; arguments as in `event_f1`.

    Args:
        onset_collar: seconds.
        offset_collar: seconds; None: offsets are not compared.
        offset_ratio: share of the duration of the true event.
        collar_eps: seconds added to both collars; 5e-7 gives the numbers of `sed_scores_eval`.

    >>> from wsed.testing.metrics import system
    >>> value = BestEventF1(onset_collar=1.0, offset_collar=None).compute(system())
    >>> value.numbers["macro"] > 0, sorted(value.over_thresholds)
    (True, ['a', 'b', 'c'])
    """

    title, place = "best event F1", 12

    def __init__(
        self,
        onset_collar: float = 0.2,
        offset_collar: float | None = 0.2,
        offset_ratio: float = 0.2,
        collar_eps: float = 0.0,
    ) -> None:
        self.collars = Collars(onset_collar, offset_collar, offset_ratio, collar_eps).checked()

    def curves(self, system: System) -> Iterable[ThresholdCurve]:
        clips = system.need_timed()
        return (
            point_curves(clips, EventF1(*self.collars).count, joins=False)
            if clips.ranked is None
            else event_curves(clips, self.collars)
        )


@METRICS.register("best_segment_f1")
class BestSegmentF1(BestF1):
    """Best segment F1 over thresholds of each class; from frame scores, segments end with their clip.

    Args:
        length: seconds of a segment.

    >>> from wsed.testing.metrics import system
    >>> round(BestSegmentF1().compute(system()).numbers["macro"], 2)
    0.27
    """

    title, place = "best segment F1", 22

    def __init__(self, length: float = 1.0) -> None:
        self.segments = SegmentF1(length)

    def curves(self, system: System) -> Iterable[ThresholdCurve]:
        clips = system.need_timed()
        if clips.ranked is None:
            return point_curves(clips, self.segments.count, joins=False)
        return segment_curves(clips, self.segments.length)


@METRICS.register("best_intersection_f1")
class BestIntersectionF1(BestF1):
    """Best intersection F1 over thresholds of each class; arguments as in `intersection_f1`.

    Args:
        dtc: share of a detection that true events must cover, in (0, 1].
        gtc: share of a true event that detections must cover, in (0, 1].

    >>> from wsed.testing.metrics import system
    >>> BestIntersectionF1(gtc=0.1).compute(system()).numbers["macro"] > 0
    True
    """

    title, place = "best intersection F1", 32

    def __init__(self, dtc: float = 0.5, gtc: float = 0.5) -> None:
        self.shares = IntersectionF1(dtc, gtc)

    def curves(self, system: System) -> Iterable[ThresholdCurve]:
        clips = system.need_timed()
        if clips.ranked is None:
            return point_curves(clips, self.shares.count, joins=True)
        return intersection_curves(clips, self.shares.dtc, self.shares.gtc)


@METRICS.register("best_tagging_f1")
class BestTaggingF1(BestF1):
    """Best tagging F1 over thresholds of each class, from clip scores.

    >>> from wsed.testing.metrics import system
    >>> BestTaggingF1().compute(system()).numbers["macro"]
    1.0
    """

    title, place, needs = "best tagging F1", 42, frozenset({"clip_scores"})

    def curves(self, system: System) -> Iterable[ThresholdCurve]:
        clips = system.need_tagged()
        assert clips.scores is not None
        scores = clips.scores.double()
        return item_curves(clips.true, scores if clips.known is None else scores.masked_fill(~clips.known, -np.inf))
