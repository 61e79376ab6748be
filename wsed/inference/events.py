"""Events that were detected in a recording."""

from collections.abc import Iterable
from dataclasses import dataclass

from wsed.decoding.steps import ROUNDING
from wsed.decoding.streamed import Change
from wsed.errors import WsedError
from wsed.types import Labels
from wsed.values import Scores


class DetectedEvent(tuple[str, float, float]):
    """An event: `(label, onset, offset)`, times in seconds, with a confidence.

    >>> event = DetectedEvent("Dog", 1.5, 2.0, 0.75)
    >>> label, onset, offset = event
    >>> label, offset - onset, event.confidence
    ('Dog', 0.5, 0.75)
    """

    confidence: float

    def __new__(cls, label: str, onset: float, offset: float, confidence: float) -> "DetectedEvent":
        event = super().__new__(cls, (label, onset, offset))
        event.confidence = confidence
        return event

    @property
    def label(self) -> str:
        """The class."""
        return self[0]

    @property
    def onset(self) -> float:
        """Seconds from the start of the recording."""
        return self[1]

    @property
    def offset(self) -> float:
        """Seconds from the start of the recording."""
        return self[2]

    def __repr__(self) -> str:
        return f"DetectedEvent({self.label!r}, {self.onset}, {self.offset}, confidence={self.confidence:.3f})"


@dataclass(frozen=True)
class Detected:
    """The events that were detected in one recording.

    Attributes:
        source: the file as it was given; empty for samples.
        duration: seconds.
        events: the events, sorted by onset, then label.
        error: why the file was skipped; None if it was read.
        scores: the result of `Detector.scores`; None if it was not asked for.
    """

    source: str
    duration: float
    events: tuple[DetectedEvent, ...] = ()
    error: WsedError | None = None
    scores: Scores | None = None


@dataclass(frozen=True)
class Chosen:
    """A choice of the events that are reported.

    Args:
        classes: names of classes; None: all.
        top: number of the most confident events of each recording that are reported; None: all.
        min_duration: shortest duration of an event, in seconds.
    """

    classes: frozenset[str] | None = None
    top: int | None = None
    min_duration: float = 0.0

    def of(self, changes: Iterable[Change], labels: Labels) -> tuple[DetectedEvent, ...]:
        """The events that ended, by onset."""
        events = [
            DetectedEvent(labels.names[change.label], change.onset, change.offset, change.confidence)
            for change in changes
            if change.offset is not None and change.offset - change.onset >= self.min_duration - ROUNDING
        ]
        if self.classes is not None:
            events = [event for event in events if event.label in self.classes]
        if self.top is not None:
            events = sorted(events, key=lambda event: -event.confidence)[: self.top]
        return tuple(sorted(events, key=lambda event: (event.onset, event.label)))
