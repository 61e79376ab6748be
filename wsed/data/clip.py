"""`Clip`: a clip with its sound file, tags and events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wsed.errors import WsedError

Timed = tuple[str, float, float]
"""An event: label, onset, offset (seconds)."""


@dataclass(frozen=True)
class Clip:
    """A clip with its sound file, tags and events.

    >>> clip = Clip("a.wav", Path("audio/a.wav"), "weak", frozenset({"Dog"}))
    >>> clip.events is None, clip.of_recording
    (True, 'a.wav')

    Attributes:
        id: name of the clip in the label tables.
        path: sound file.
        source: source in the corpus: `weak`, `synthetic`, ...
        tags: the classes that the clip holds; None if they are not known.
        events: the events, in seconds from the start of the clip; None if they are not known, empty if there are none.
        duration: duration in seconds; None until the header of the file is read.
        start: start of the clip in its file, in seconds; None if the clip is the whole file.
        recording: name of the recording that the clip is a part of; None if the clip is the whole recording.
        confidence: confidence, from 0 to 1, of tags that are not certain, such as pseudo labels.
        unsure: classes whose events in this clip are not known, such as those with a pseudo label of low confidence.
            Unless they are in `tags`, it is not known either whether the clip holds them.
        event_confidence: confidence of each event, in the order of `events`; empty: that of its class.
        groups: groups of the clip, by the kind of group: `{"patient": "p03", "site": "ward"}`.

    Raises:
        WsedError: there is not one `event_confidence` for each event.
    """

    id: str
    path: Path
    source: str
    tags: frozenset[str] | None = None
    events: tuple[Timed, ...] | None = None
    duration: float | None = None
    start: float | None = None
    recording: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict, hash=False)
    confidence: Mapping[str, float] = field(default_factory=dict, hash=False)
    unsure: frozenset[str] = frozenset()
    event_confidence: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.event_confidence and len(self.event_confidence) != len(self.events or ()):
            raise WsedError(
                f"clip {self.id} has {len(self.events or ())} events, but event_confidence has "
                f"{len(self.event_confidence)} values: give one for each event"
            )

    @property
    def confidences(self) -> tuple[float, ...]:
        """The confidence of each event; 1 if it is certain.

        >>> Clip("a.wav", Path("a.wav"), "weak", events=(("Dog", 0.0, 1.0),), confidence={"Dog": 0.5}).confidences
        (0.5,)
        """
        return self.event_confidence or tuple(self.confidence.get(label, 1.0) for label, _, _ in self.events or ())

    @property
    def of_recording(self) -> str:
        """Name of the recording of the clip."""
        return self.id if self.recording is None else self.recording


def greatest(events: Iterable[Timed], confidences: Iterable[float]) -> dict[str, float]:
    """The greatest confidence of the events of each class.

    >>> greatest([("Dog", 0.0, 1.0), ("Dog", 2.0, 3.0)], [0.5, 0.75])
    {'Dog': 0.75}
    """
    result: dict[str, float] = {}
    for (label, _, _), confidence in zip(events, confidences, strict=True):
        result[label] = max(result.get(label, 0.0), confidence)
    return result
