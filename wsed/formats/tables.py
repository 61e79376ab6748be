"""Tables of events that are written: tabs or commas, a row per event."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from wsed.errors import WsedError
from wsed.files import write_text
from wsed.formats.event import written_times
from wsed.formats.recording import Recording
from wsed.formats.rows import tab_line

COLUMNS = ("filename", "onset", "offset", "event_label", "confidence")


def write_tsv(path: Path, recordings: Sequence[Recording]) -> None:
    """Events of all recordings with tabs between cells; a recording without events has a row with its name only."""
    write_text(path, tabbed(path, [COLUMNS, *rows(recordings)]))


def write_csv(path: Path, recordings: Sequence[Recording]) -> None:
    """Events of all recordings with commas between cells, otherwise as `write_tsv`.

    Raises:
        WsedError: a cell holds a line break.
    """
    text, lines = io.StringIO(), [COLUMNS, *rows(recordings)]
    for cell in (cell for line in lines for cell in line):
        if "\n" in cell or "\r" in cell:  # valid in quotes, but `read_events` and many programs read line by line
            raise WsedError(f"{path}: {cell!r} holds a line break and cannot be a cell of a table")
    csv.writer(text, lineterminator="\n").writerows(lines)
    write_text(path, text.getvalue())


def rows(recordings: Sequence[Recording]) -> list[tuple[str, ...]]:
    """A row of `COLUMNS` per event.

    >>> rows([Recording("a.wav", "a.wav", 1.0, 8000, ())])
    [('a.wav', '', '', '', '')]
    """
    return [
        row
        for recording in recordings
        for row in [
            (
                recording.name,
                *(f"{time:.3f}" for time in written_times(e.onset, e.offset)),
                e.label,
                number(e.confidence),
            )
            for e in recording.events
        ]
        or [(recording.name, "", "", "", "")]
    ]


def number(confidence: float | None) -> str:
    """A confidence as a cell; empty if there is none."""
    return "" if confidence is None else f"{confidence:.4f}"


def tabbed(path: Path, lines: Iterable[Sequence[str]]) -> str:
    """Lines of cells with tabs between them; cells with quotes that a reader would remove are quoted.

    Raises:
        WsedError: a cell holds a tab or a line break.
    """
    return "".join(tab_line(path, line) for line in lines)
