"""One event of an exchange format."""

from typing import NamedTuple


class Event(NamedTuple):
    """One event of a file.

    >>> Event("Dog", 0.5, 1.25).offset
    1.25

    Args:
        label: the class as it is written.
        onset: seconds from the start of the file.
        offset: seconds from the start of the file.
        confidence: from 0 to 1; None if the format or the row has none.
        file: the sound file as it is written; empty if the format does not name it.
        line: line number, from 1; 0 if the event was not read from a file.
    """

    label: str
    onset: float
    offset: float
    confidence: float | None = None
    file: str = ""
    line: int = 0
