"""Registered metrics: F1 of events, segments, intersections and tags."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from wsed.metrics.base import METRICS, Metric, MetricValue, Number, Resampled
from wsed.metrics.bootstrap import ClipCounts, clip_counts
from wsed.metrics.clips import tag_counts
from wsed.metrics.counts import Counts
from wsed.metrics.events import Collars, event_counts
from wsed.metrics.intersection import check_shares, intersection_counts
from wsed.metrics.segments import check_length, segment_counts
from wsed.metrics.system import System, TimedClips
from wsed.metrics.tagging import f1_averages
from wsed.types import Events, Labels


class F1(Metric):
    """Base class of F1 metrics: macro and micro F1 and F1 per class, with precision, recall and error rates.

    >>> from wsed.testing.metrics import system
    >>> metric = TaggingF1()
    >>> bool((metric.counts(system()).tp == metric.clip_counts(system()).total().tp).all())
    True
    """

    numbers = (
        "macro", "micro", "macro_precision", "macro_recall", "macro_error_rate", "micro_precision", "micro_recall",
        "micro_error_rate", "macro_f_harmonic", "n_ref", "n_sys", "tp", "substitutions", "deletions", "insertions",
    )  # fmt: skip
    class_numbers = ("f1", "precision", "recall", "error_rate", "n_ref", "n_sys", "tp")
    not_scores = (
        "macro_error_rate", "micro_error_rate", "error_rate", "n_ref", "n_sys", "substitutions", "deletions",
        "insertions",
    )  # fmt: skip

    @abstractmethod
    def counts(self, system: System) -> Counts:
        """Hits and totals over all clips."""

    @abstractmethod
    def clip_counts(self, system: System) -> ClipCounts:
        """Hits and totals of each clip."""

    def compute(self, system: System) -> MetricValue:
        return f1_value(self.counts(system), system.labels)

    def resampled(self, system: System) -> Resampled:
        counts = self.clip_counts(system)
        return Resampled(
            len(counts.tp), {"macro": counts.statistic(average="macro"), "micro": counts.statistic(average="micro")}
        )

    def logged(self, name: str, value: MetricValue) -> Mapping[str, Number]:
        return {name: value.numbers["macro"], f"{name}_micro": value.numbers["micro"]}


class CountedEvents(F1):
    """Base class of F1 metrics that count events.

    Attributes:
        joins: whether overlapping events of a class are joined into one event before they are counted.

    >>> events = Events.of([(0, 0, 1.0, 2.0)])
    >>> EventF1().count(events, events, n_labels=1).tp.tolist()
    [1]
    """

    needs = frozenset({"events"})
    joins: ClassVar[bool] = False

    @abstractmethod
    def count(self, reference: Events, detected: Events, n_labels: int) -> Counts:
        """Hits and totals of the events of all clips."""

    def counts(self, system: System) -> Counts:
        clips = self._clips(system)
        return self.count(clips.reference, clips.detected, clips.n_labels)

    def clip_counts(self, system: System) -> ClipCounts:
        clips = self._clips(system)
        return clip_counts(self.count, clips.reference, clips.detected, clips.n_clips, clips.n_labels)

    def _clips(self, system: System) -> TimedClips:
        clips = system.need_timed()
        return clips.joined if self.joins else clips


@METRICS.register("event_f1")
class EventF1(CountedEvents):
    """Event-based F1 with collars of 200 ms and 20 % of the duration; see `event_counts`.

    Args:
        onset_collar: seconds.
        offset_collar: seconds; None: offsets are not compared.
        offset_ratio: share of the duration of the true event that the offset may differ by, if that is more.
        collar_eps: seconds added to both collars; see `event_counts`.

    >>> from wsed.testing.metrics import system
    >>> round(EventF1().compute(system()).numbers["micro"], 3)
    0.714
    """

    title, place = "event F1", 10

    def __init__(
        self,
        onset_collar: float = 0.2,
        offset_collar: float | None = 0.2,
        offset_ratio: float = 0.2,
        collar_eps: float = 0.0,
    ) -> None:
        self.collars = Collars(onset_collar, offset_collar, offset_ratio, collar_eps).checked()

    def count(self, reference: Events, detected: Events, n_labels: int) -> Counts:
        return event_counts(reference, detected, n_labels, **self.collars._asdict())

    def line(self, value: MetricValue) -> str | None:
        numbers = value.numbers
        if "micro_error_rate" not in numbers:
            return None
        errors = f"{numbers['substitutions']:.0f} S, {numbers['deletions']:.0f} D, {numbers['insertions']:.0f} I"
        return f"events: error rate {or_dash(numbers['micro_error_rate'], '.2f')} ({errors})"


@METRICS.register("segment_f1")
class SegmentF1(CountedEvents):
    """Segment-based F1 with segments of 1 s, not cut at the end of the clip, as the DCASE baselines call `sed_eval`.

    Args:
        length: seconds of a segment.

    >>> from wsed.testing.metrics import system
    >>> round(SegmentF1().compute(system()).numbers["micro"], 3)
    0.714
    """

    title, place = "segment F1", 20

    def __init__(self, length: float = 1.0) -> None:
        self.length = check_length(length)

    def count(self, reference: Events, detected: Events, n_labels: int) -> Counts:
        return segment_counts(reference, detected, n_labels, length=self.length)


@METRICS.register("intersection_f1")
class IntersectionF1(CountedEvents):
    """Intersection-based F1 with DTC 0.5 and GTC 0.5; see `intersection_counts`.

    Args:
        dtc: share of a detection that true events must cover, in (0, 1].
        gtc: share of a true event that detections must cover, in (0, 1].

    >>> from wsed.testing.metrics import system
    >>> round(IntersectionF1().compute(system()).numbers["micro"], 3)
    0.714
    """

    title, place, joins = "intersection F1", 30, True

    def __init__(self, dtc: float = 0.5, gtc: float = 0.5) -> None:
        check_shares(dtc=dtc, gtc=gtc)
        self.dtc, self.gtc = dtc, gtc

    def count(self, reference: Events, detected: Events, n_labels: int) -> Counts:
        return intersection_counts(reference, detected, n_labels, dtc=self.dtc, gtc=self.gtc)


@METRICS.register("tagging_f1")
class TaggingF1(F1):
    """F1 of the classes that are predicted for each clip; see `tag_counts`.

    >>> from wsed.testing.metrics import system
    >>> round(TaggingF1().compute(system()).numbers["micro"], 3)
    0.933
    """

    title, place, needs = "tagging F1", 40, frozenset({"tags"})

    def counts(self, system: System) -> Counts:
        clips = system.need_tagged()
        assert clips.predicted is not None
        return tag_counts(clips.true, clips.predicted, clips.known)

    def clip_counts(self, system: System) -> ClipCounts:
        clips = system.need_tagged()
        assert clips.predicted is not None
        true, predicted = clips.true, clips.predicted if clips.known is None else clips.predicted & clips.known
        parts = (true & predicted, true, predicted)
        return ClipCounts(*(part.cpu().numpy().astype(np.int64) for part in parts))

    def line(self, value: MetricValue) -> str | None:
        numbers = value.numbers
        if "macro_f_harmonic" not in numbers:
            return None
        means = f"precision {percent(numbers['macro_precision'])}, recall {percent(numbers['macro_recall'])}"
        return f"tags: macro {means}; F1 of these means {percent(numbers['macro_f_harmonic'])}"  # below 80 columns


def f1_value(counts: Counts, labels: Labels) -> MetricValue:
    """The value of an F1 metric: `macro` and `micro` F1, numbers per class, precision, recall and error rates.

    A class without reference has no scores (NaN) and is left out of macro means; see `Counts`. `macro_f_harmonic` is
    the harmonic mean of macro precision and macro recall, which some publications print as macro F1.

    >>> f1_value(Counts(np.array([1]), np.array([2]), np.array([1])), Labels(["dog"])).per_class["dog"]["recall"]
    0.5
    """
    per_class = {
        name: {
            "f1": float(counts.f1[i]),
            "precision": float(counts.precision[i]),
            "recall": float(counts.recall[i]),
            "error_rate": float(counts.error_rate[i]),
            "n_ref": int(counts.n_ref[i]),
            "n_sys": int(counts.n_sys[i]),
            "tp": int(counts.tp[i]),
        }
        for i, name in enumerate(labels)
    }
    averages = {name: value for name, value in counts.summary().items() if not name.endswith("_f1")}
    n_ref, n_sys, tp = (int(part.sum()) for part in (counts.n_ref, counts.n_sys, counts.tp))
    numbers: dict[str, Number] = {"macro": counts.macro_f1, "micro": counts.micro_f1, **averages}
    numbers |= {"macro_f_harmonic": f1_averages(counts)["macro_f_harmonic"], "n_ref": n_ref, "n_sys": n_sys, "tp": tp}
    errors = {
        "substitutions": counts.n_sub,
        "deletions": n_ref - tp - counts.n_sub,
        "insertions": n_sys - tp - counts.n_sub,
    }
    return MetricValue(numbers | errors, per_class, counts)


def percent(value: Number) -> str:
    """A fraction in per cent with one decimal; a dash for NaN.

    >>> percent(0.1234), percent(float("nan"))
    ('12.3', '-')
    """
    return or_dash(100 * value, ".1f")


def or_dash(value: Number, form: str) -> str:
    """A formatted number; a dash if it is not finite.

    >>> or_dash(0.5, ".2f"), or_dash(float("nan"), ".2f")
    ('0.50', '-')
    """
    return f"{value:{form}}" if np.isfinite(value) else "-"
