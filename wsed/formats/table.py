"""Tables with one event per row and columns of any names: file, onset, offset (or duration), label, confidence."""

from dataclasses import dataclass
from pathlib import Path

from wsed.errors import WsedError
from wsed.formats.cells import CONFIDENCE, DURATION, FILE, LABEL, OFFSET, ONSET, Cells, plain, read_cells
from wsed.formats.event import Event
from wsed.formats.numbers import certainty, is_number, number, span
from wsed.formats.rows import RowError


@dataclass(frozen=True)
class Columns:
    """The names of the columns of a table, if they are not recognised.

    Args:
        file: column of the sound file.
        onset: column of the onset.
        offset: column of the offset.
        label: column of the class.
        unit: unit of onset and offset (or duration) in seconds: 0.001 for milliseconds, 1 / 8000 for samples at 8 kHz;
            None: 1, unless the name of the column contains `ms`.
        separator: separator of cells; None: it is recognised.
        duration: column of the duration, in place of the offset; None: it is recognised in tables without offsets.
    """

    file: str | None = None
    onset: str | None = None
    offset: str | None = None
    label: str | None = None
    unit: float | None = None
    separator: str | None = None
    duration: str | None = None


def read(path: str | Path, columns: Columns | None = None, setting: str = "columns") -> list[Event]:
    r"""The events of a table; rows with a file and nothing else, which name files without events, have an empty label.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "events.csv")
    ...     _ = path.write_text("file,start_ms,end_ms,label\na.wav,500,1250,Dog\n")
    ...     read(path)
    [Event(label='Dog', onset=0.5, offset=1.25, confidence=None, file='a.wav', line=2)]

    Args:
        path: the table.
        columns: names of the columns; None: all are recognised.
        setting: the setting with these names, for messages.

    Raises:
        WsedError: the file is missing, or a column cannot be found.
        RowError: a row cannot be understood.
    """
    named = columns or Columns()
    return events_of(read_cells(path, named.separator), named, setting)


def events_of(cells: Cells, named: Columns, setting: str = "columns") -> list[Event]:
    """The events in the rows of a table; arguments and errors as in `read`."""
    lasting = _has_durations(cells, named, setting)
    last = (named.duration, DURATION, "duration") if lasting else (named.offset, OFFSET, "offset")
    label, onset, offset = (
        _place(cells, name, usual, setting, what)
        for name, usual, what in ((named.label, LABEL, "label"), (named.onset, ONSET, "onset"), last)
    )
    file, confidence = cells.column(named.file, FILE, f"{setting}.file"), cells.column(None, CONFIDENCE, setting)
    events = []
    for line, row in cells.rows:
        name = row[file] if file is not None else ""
        if not (row[label] or row[onset] or row[offset]):
            events.append(Event("", 0.0, 0.0, file=name, line=line))
            continue
        if not row[label]:
            raise RowError(
                cells.path, line, f"no {cells.header[label]} for this event; name its class, or delete the row"
            )
        start, stop = (
            round(number(cells.path, line, cells.header[i], row[i]) * (named.unit or plain(cells.header[i])[1]), 9)
            for i in (onset, offset)
        )
        if lasting:
            stop = round(start + stop, 9)
        span(cells.path, line, start, stop)
        score = None
        if confidence is not None and row[confidence]:
            score = certainty(cells.path, line, cells.header[confidence], row[confidence])
        events.append(Event(row[label], start, stop, score, name, line))
    return events


def is_events(cells: Cells) -> bool:
    """Whether a table is one of events: it has columns of the onset, and of the offset or the duration."""
    has_offset = cells.column(None, OFFSET, "") is not None
    return cells.column(None, ONSET, "") is not None and (has_offset or _lasting(cells, Columns(), ""))


def _has_durations(cells: Cells, named: Columns, setting: str) -> bool:
    """Whether a table has durations in place of offsets."""
    if named.offset is None:
        return named.duration is not None or _lasting(cells, named, setting)
    if named.duration is not None:
        raise WsedError(
            f"{setting} names an offset ({named.offset}) and a duration ({named.duration}); name one of them"
        )
    if plain(named.offset)[0] in DURATION:
        raise WsedError(
            f"{setting}.offset is {named.offset!r}, a usual name for durations; set {setting}.duration to it instead"
        )
    return False


def _lasting(cells: Cells, named: Columns, setting: str) -> bool:
    """Whether a table of classes has durations, and onsets, in seconds in place of offsets."""
    if cells.column(None, OFFSET, "") is not None:
        return False
    if named.label is None and cells.column(None, LABEL, "") is None:
        return False
    columns = [cells.column(named.onset, ONSET, f"{setting}.onset"), cells.column(None, DURATION, "")]
    values = [value for column in columns if column is not None for value in cells.values(column) if value]
    return None not in columns and all(map(is_number, values))


def _place(cells: Cells, name: str | None, usual: tuple[str, ...], setting: str, what: str) -> int:
    column = cells.column(name, usual, f"{setting}.{what}")
    if column is None:
        shown = ", ".join(cells.header)
        known = {*FILE, *LABEL, *ONSET, *OFFSET, *DURATION}
        if any(map(is_number, cells.header)) and not known & {plain(name)[0] for name in cells.header}:
            raise WsedError(
                f"{cells.path} has no header: its first row holds numbers ({shown}); write a row with "
                "the names of the columns above it, such as onset, offset and label"
            )
        other = f", or {setting}.duration," if what == "offset" else ""
        raise WsedError(
            f"{cells.path} has no column with a usual name for the {what}; set {setting}.{what}{other} to one of its "
            f"columns: {shown}"
        )
    return column
