"""Raven selection tables: one for each file, or one for all with cumulative times."""

from collections.abc import Sequence
from pathlib import Path

from wsed.errors import WsedError
from wsed.files import write_text
from wsed.formats.cells import read_cells
from wsed.formats.event import Event
from wsed.formats.numbers import certainty, number, span
from wsed.formats.recording import Recording
from wsed.formats.rows import RowError
from wsed.formats.tables import number as confidence_of
from wsed.formats.tables import tabbed

BEGIN, END = "Begin Time (s)", "End Time (s)"
WRITTEN = (
    "Selection", "View", "Channel", BEGIN, END, "Low Freq (Hz)", "High Freq (Hz)", "Common Name", "Species Code",
    "Confidence", "Begin Path", "File Offset (s)",
)  # fmt: skip
FILE = ("begin path", "begin file")
LABEL = (
    "common name", "label", "labels", "species", "annotation", "class", "tag", "tags", "event label", "species code",
)  # fmt: skip


def is_raven(header: str) -> bool:
    """Whether the first line of a file is the header of a selection table."""
    return BEGIN in header and "\t" in header


def read(path: str | Path, label: str | None = None) -> list[Event]:
    """The events of a selection table.

    If it names the file of each selection and the offset in it (`File Offset (s)`), that offset is used, since
    `Begin Time (s)` then counts through all files. A selection that is listed once per view is read once.

    Args:
        path: the table.
        label: the column of the class; None: `Common Name`, `Label`, `Species`, `Annotation` or the like.

    Raises:
        WsedError: the file is missing, or has no column of the class.
        RowError: a time is not a number, or a selection has no class.
    """
    cells = read_cells(path, "\t")
    for name in (BEGIN, END):
        if name not in cells.header:
            raise WsedError(
                f"{path} is not a Raven selection table: it has no column {name!r}; export it from Raven again"
            )
    begin, end = cells.header.index(BEGIN), cells.header.index(END)
    named = cells.column(label, LABEL, "events.label")
    if named is None:
        raise WsedError(
            f"{path} has no column of the class; set events.label to one of its columns: {', '.join(cells.header)}"
        )
    file, local = cells.column(None, FILE, ""), cells.column(None, ("file offset",), "")
    seen: set[tuple[str, ...]] = set()
    events = []
    for line, row in cells.rows:
        key = (row[begin], row[end], row[named], row[file] if file is not None else "")
        if key in seen:
            continue
        seen.add(key)
        if not row[named]:
            raise RowError(path, line, f"no {cells.header[named]} for this selection; annotate it, or delete the row")
        onset, offset = number(path, line, BEGIN, row[begin]), number(path, line, END, row[end])
        span(path, line, onset, offset)
        if file is not None and local is not None and row[local]:
            start = number(path, line, cells.header[local], row[local])
            onset, offset = start, start + offset - onset
        confidence = cells.column(None, ("confidence", "score"), "")
        score = None
        if confidence is not None and row[confidence]:
            score = certainty(path, line, cells.header[confidence], row[confidence])
        events.append(Event(row[named], onset, offset, score, row[file] if file is not None else "", line))
    return events


def write(path: Path, recordings: Sequence[Recording]) -> None:
    """The selection table of one recording, or of several that Raven opens together, in this order.

    Begin and end times then count through all recordings; `File Offset (s)` counts from the start of each. A recording
    without events has no row, since Raven looks for the sound file of every row.
    """
    lines, before = [WRITTEN], 0.0
    for recording in recordings:
        for e in recording.events:
            begin, end = (f"{before + time:.6f}" for time in (e.onset, e.offset))
            high, confidence = f"{recording.sample_rate / 2:.1f}", confidence_of(e.confidence)
            place = ("Spectrogram 1", "1", begin, end, "0.0", high)  # crowsetta refuses frequencies without a point
            what = (e.label, e.label, confidence, recording.path, f"{e.onset:.6f}")
            lines.append((str(len(lines)), *place, *what))
        before += recording.duration
    write_text(path, tabbed(path, lines))
