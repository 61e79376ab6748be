"""F1 of events by their onsets only, as used for AudioSet-strong, where offsets are hard to annotate."""

from wsed.metrics.base import METRICS
from wsed.metrics.counts import Counts
from wsed.metrics.events import Collars, event_counts
from wsed.metrics.f1 import CountedEvents
from wsed.types import Events


@METRICS.register("onset_f1")
class OnsetF1(CountedEvents):
    """Event-based F1 with an onset collar of 200 ms and no offset collar, as `sed_eval` with `evaluate_offset=False`.

    Args:
        onset_collar: seconds.

    >>> from wsed.testing.metrics import system
    >>> round(OnsetF1().compute(system()).numbers["micro"], 3)
    0.714
    """

    title, place = "onset F1", 15

    def __init__(self, onset_collar: float = 0.2) -> None:
        self.collars = Collars(onset_collar, None).checked()

    def count(self, reference: Events, detected: Events, n_labels: int) -> Counts:
        return event_counts(reference, detected, n_labels, **self.collars._asdict())
