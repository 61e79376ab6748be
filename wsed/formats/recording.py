"""A recording with the events that are written to files."""

from typing import NamedTuple

from wsed.formats.event import Event


class Recording(NamedTuple):
    """One recording and its events.

    Args:
        name: name of the file, with the folders that distinguish it from others, separated by `/`.
        path: path of the file for programs that open it.
        duration: seconds.
        sample_rate: sample rate of the file, Hz.
        events: the events, sorted by onset.
    """

    name: str
    path: str
    duration: float
    sample_rate: int
    events: tuple[Event, ...]

    @property
    def stem(self) -> str:
        """The name without the suffix of the sound file.

        >>> Recording("site 1/a.wav", "/data/site 1/a.wav", 1.0, 8000, ()).stem
        'site 1/a'
        """
        head, dot, last = self.name.rpartition(".")
        return head if dot and "/" not in last else self.name
