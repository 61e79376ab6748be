"""One clip and what is known of it."""

from dataclasses import dataclass
from pathlib import Path

Timed = tuple[str, float, float]
"""One event: label, onset, offset (seconds)."""


@dataclass(frozen=True)
class Clip:
    """One clip and what is known of it.

    Attributes:
        id: its name in the label tables.
        path: its sound file.
        source: which part of the corpus it belongs to (`weak`, `synthetic`, ...).
        tags: the classes it holds; None where that is not known.
        events: its events; None where they are not known, empty where it is known to hold none.
        duration: seconds of its sound file; None until its header is read.
        span: begin and length of the part of the file that is the clip, seconds; None: all of it. `events` and
            `duration` are then of the part.
    """

    id: str
    path: Path
    source: str
    tags: frozenset[str] | None = None
    events: tuple[Timed, ...] | None = None
    duration: float | None = None
    span: tuple[float, float] | None = None
