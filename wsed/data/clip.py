"""One clip and what is known of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Timed = tuple[str, float, float]
"""One event: label, onset, offset (seconds)."""


@dataclass(frozen=True)
class Clip:
    """One clip and what is known of it.

    >>> clip = Clip("a.wav", Path("audio/a.wav"), "weak", frozenset({"Dog"}))
    >>> clip.events is None, clip.of_recording
    (True, 'a.wav')

    Attributes:
        id: its name in the label tables.
        path: its sound file.
        source: which part of the corpus it belongs to (`weak`, `synthetic`, ...).
        tags: the classes it holds; None where that is not known.
        events: its events, in seconds from its start; None where they are not known, empty where it has none.
        duration: seconds of the clip; None until the header of its file is read.
        start: where the clip begins in its file, seconds; None where the clip is the whole file.
        recording: name of the recording that the clip is a part of; None where the clip is all of it.
        groups: what clips have in common, by a name of your own: `{"patient": "p03", "site": "ward"}`.
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

    @property
    def of_recording(self) -> str:
        """Name of the recording that the clip is of."""
        return self.id if self.recording is None else self.recording
