"""One event as exchange formats have it."""

from typing import NamedTuple


class Event(NamedTuple):
    """One event of a file.

    >>> Event("Dog", 0.5, 1.25).offset
    1.25

    Args:
        label: its class, as it is written.
        onset: seconds from the start of the file.
        offset: seconds from the start of the file.
        confidence: from 0 to 1; None where the format or the row has none.
        file: the sound file, as it is written; empty where the format does not name it.
        line: where it stands, the first line being 1; 0 where it was not read from a file.
    """

    label: str
    onset: float
    offset: float
    confidence: float | None = None
    file: str = ""
    line: int = 0
