"""F1 of events by their onsets alone, as it is used for AudioSet-strong, where offsets are hard to annotate."""

from wsed.metrics.base import METRICS
from wsed.metrics.counts import Counts
from wsed.metrics.events import event_counts
from wsed.metrics.f1 import CountedEvents
from wsed.types import Events


@METRICS.register("onset_f1")
class OnsetF1(CountedEvents):
    """Event-based F1 of onsets within 200 ms, offsets not compared: sed_eval with `evaluate_offset=False`."""

    title, place = "onset F1", 15

    def count(self, reference: Events, detected: Events, n_labels: int) -> Counts:
        return event_counts(reference, detected, n_labels, onset_collar=0.2, offset_collar=None)
