"""One event of an exchange format."""

import math
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


def written_times(onset: float, offset: float) -> tuple[float, float]:
    """The onset and offset of an event in whole milliseconds, as tables have them, at least one apart.

    >>> written_times(0.5, 1.23456), written_times(9.9997, 10.0)
    ((0.5, 1.235), (9.999, 10.0))
    """
    begin, end = round(onset, 3), round(offset, 3)
    if begin < end:
        return begin, end
    begin = math.floor(onset * 1000) / 1000
    return begin, max(math.ceil(offset * 1000) / 1000, round(begin + 0.001, 3))
