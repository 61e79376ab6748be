"""Audacity label tracks: start, end and text of each event in lines of tab-separated cells, without a header."""

from collections.abc import Sequence
from pathlib import Path

from wsed.files import write_text
from wsed.formats.event import Event
from wsed.formats.numbers import number, span
from wsed.formats.recording import Recording
from wsed.formats.rows import RowError
from wsed.formats.tables import tabbed
from wsed.text import composed, read_text


def read(path: str | Path) -> list[Event]:
    """The events of a label track.

    Lines that begin with a backslash (the frequencies of the label before) are skipped.

    Raises:
        WsedError: the file is missing, or is not UTF-8 text.
        RowError: a line has fewer than three cells, or a time is not a number.
    """
    events = []
    for line, text in enumerate(composed(read_text(path, "label track")).split("\n"), start=1):
        if not text.strip() or text.startswith("\\"):
            continue
        cells = [cell.strip() for cell in text.split("\t")]
        if len(cells) < 3 or not cells[2]:
            raise RowError(path, line, "expected start, end and label with tabs between them; correct the line")
        onset, offset = (number(path, line, name, cell) for name, cell in zip(("start", "end"), cells, strict=False))
        span(path, line, onset, offset)
        events.append(Event(cells[2], onset, offset, line=line))
    return events


def write(path: Path, recordings: Sequence[Recording]) -> None:
    """The label track of one recording."""
    lines = [(f"{e.onset:.6f}", f"{e.offset:.6f}", e.label) for each in recordings for e in each.events]
    write_text(path, tabbed(path, lines))
