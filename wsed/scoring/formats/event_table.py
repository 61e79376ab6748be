"""Reading of tables of events that people and other systems write; errors name the file and line."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from wsed.data.table import RowError, read_text, separator_of, split_rows, wrong_order
from wsed.errors import WsedError, near
from wsed.metrics.joined import overlapping
from wsed.metrics.pairs import Columns
from wsed.types import Events, Labels

COLUMNS = ("filename", "onset", "offset", "event_label")
BLANK = "empty files, counted as no detections"


LONGEST = 1e6
"""The longest time allowed, in seconds (eleven days). A longer time is a mistake, and segments would exceed memory."""


class Notes:
    r"""Counts warnings about files; each kind of warning is one line.

    >>> notes = Notes()
    >>> notes.add("empty files", 2, "a.tsv")
    >>> notes.lines()
    ('empty files: 2 (first: a.tsv)',)
    """

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, str]] = {}

    def add(self, matter: str, count: int, first: str) -> None:
        """Add `count` cases of a warning, the first of them at `first`; nothing is added if `count` is 0."""
        before, where = self._found.get(matter, (0, first))
        if count:
            self._found[matter] = (before + count, where)

    def lines(self) -> tuple[str, ...]:
        """One line per kind of warning: the warning, the count, and the place of the first case."""
        return tuple(f"{matter}: {count} (first: {where})" for matter, (count, where) in self._found.items())


@dataclass(frozen=True)
class Table:
    """A table by columns, which is faster than by rows.

    Attributes:
        path: the file.
        lines: line number of each row; the header is line 1.
        columns: the stripped cells of the requested columns; no columns if the file is blank.
    """

    path: Path
    lines: Sequence[int]
    columns: Mapping[str, Sequence[str]]

    def take(self, rows: Sequence[int]) -> "Table":
        """Some of the rows."""
        if len(rows) == len(self.lines):
            return self
        columns = {name: [cells[i] for i in rows] for name, cells in self.columns.items()}
        return Table(self.path, [self.lines[i] for i in rows], columns)

    def numbers(self, name: str, expected: str, good: Callable[[np.ndarray], np.ndarray]) -> Float[np.ndarray, " row"]:
        """The numbers of a column.

        Raises:
            RowError: a cell is NaN, not a number or not `good`; the message states what is `expected`.
        """
        cells = self.columns[name]
        try:
            values = np.fromiter(map(float, cells), np.float64, len(cells))
        except ValueError:
            values = np.array([_number(cell) for cell in cells])
        wrong = np.isnan(values) | ~good(values)
        if wrong.any():
            i = int(wrong.argmax())
            raise RowError(self.path, self.lines[i], f"{name} is {cells[i]!r}, expected {expected}")
        return values

    def seconds(self, name: str) -> Float[np.ndarray, " row"]:
        """The seconds of a column, from 0 to `LONGEST`; errors as in `numbers`."""
        return self.numbers(name, f"seconds (a number from 0 to {LONGEST:.0f})", lambda x: (x >= 0) & (x <= LONGEST))


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return nan


def header(path: Path, line: str) -> tuple[str, tuple[str, ...]]:
    r"""The separator (a tab or a comma) and the column names of a table, from its first line.

    >>> header(Path("a.tsv"), "filename\tonset")
    ('\t', ('filename', 'onset'))
    """
    separator = separator_of(line)
    return separator, tuple(cell.strip() for _, cells in split_rows(path, [line], separator) for cell in cells)


def read_table(path: Path, columns: Sequence[str], numeric: Collection[str], text: str | None = None) -> Table:
    r"""Read a tab- or comma-separated table with a header. Columns may be in any order; other columns are ignored.

    Cells that are missing at the end of a row are empty.

    Args:
        path: the file.
        columns: names of the required columns.
        numeric: required columns that hold numbers; they help to recognise a row with the wrong separator.
        text: content of the file, if it has been read already.

    Raises:
        WsedError: the file does not exist or is not UTF-8 text, a column is missing or occurs twice, or a row has more
            cells than the header or another separator.

    >>> read_table(Path("a.tsv"), ["onset"], ["onset"], text="filename\tonset\na.wav\t1.5\n").columns
    {'onset': ['1.5']}
    """
    text = read_text(path) if text is None else text
    lines = text.rstrip("\n").split("\n")
    if not text.strip():
        return Table(path, [], {})
    separator, names = header(path, lines[0])
    for column in columns:
        if names.count(column) != 1:
            wrong = "no column" if column not in names else "more than one column"
            raise WsedError(f"{path}: {wrong} {column}; its header is {list(names)}, expected {list(columns)}")
    width, place = len(names), {name: names.index(name) for name in columns}
    written = all(line.strip(f" {separator}") for line in lines)  # no empty rows of a spreadsheet
    if written and '"' not in text and {line.count(separator) for line in lines} == {width - 1}:
        cells = separator.join(lines).split(separator)
        stripped = {name: list(map(str.strip, cells[i + width :: width])) for name, i in place.items()}
        return Table(path, range(2, len(lines) + 1), stripped)
    rows = [
        (line, fit)
        for line, row in list(split_rows(path, lines, separator))[1:]
        if (fit := _fitted(path, line, row, separator, width, [place[name] for name in numeric]))
    ]
    stripped = {name: [row[i].strip() for _, row in rows] for name, i in place.items()}
    return Table(path, [line for line, _ in rows], stripped)


def _fitted(path: Path, line: int, cells: list[str], separator: str, width: int, numeric: Sequence[int]) -> list[str]:
    """The cells of a row, as many as in the header; none for a blank row."""
    if not any(map(str.strip, cells)):
        return []
    if len(cells) == width:
        return cells
    other, name, expected = ("\t", "tabs", "commas") if separator == "," else (",", "commas", "tabs")
    parts = [part.strip() for part in cells[0].split(other)]
    values = [parts[place] for place in numeric if place < len(parts)]
    # A file name may contain commas, but then the cells of the times are not numbers.
    alike = len(cells) == 1 and values and not any(v and isnan(_number(v)) for v in values)
    if len(parts) > 1 and (other == "\t" or alike):
        text = f"this row is separated by {name}, the header by {expected}; separate the whole file alike"
        raise RowError(path, line, text)
    if any(cell.strip() for cell in cells[width:]):
        raise RowError(path, line, f"{len(cells)} cells where the header has {width}")
    return (cells + [""] * width)[:width]


@dataclass(frozen=True)
class EventTable:
    """The rows of a table of events.

    Attributes:
        path: the file.
        clips: every clip in the table, with its first line.
        clip, label, onset, offset, line: columns of the events; a row with only a filename is not an event.
        blank: whether the file is empty.
        confidence: of each event; None if no column of confidences was requested.
        places: file and line of each event, if the table was made of several files; `line` then counts the events.
    """

    path: Path
    clips: Mapping[str, int]
    clip: Sequence[str]
    label: Sequence[str]
    onset: Float[np.ndarray, " event"]
    offset: Float[np.ndarray, " event"]
    line: Int[np.ndarray, " event"]
    blank: bool = False
    confidence: Float[np.ndarray, " event"] | None = None
    places: Sequence[tuple[Path, int]] = ()

    def place(self, line: int) -> tuple[Path, int]:
        """The file and the line that a value of `line` stands for."""
        return self.places[line - 1] if self.places else (self.path, line)


def read_event_table(path: Path, confidence: str | None = None) -> EventTable:
    """Read a table with the columns `filename, onset, offset, event_label`, in any order.

    Args:
        path: the file.
        confidence: a column to be read too, a number in each row of an event.

    Raises:
        WsedError: as in `read_table`; or a filename or label is missing, a time is negative or not a number, an offset
            is before its onset, or a confidence is not a number.
    """
    table = read_table(path, COLUMNS if confidence is None else (*COLUMNS, confidence), ("onset", "offset"))
    if not table.columns:
        return EventTable(path, {}, [], [], np.zeros(0), np.zeros(0), np.zeros(0, np.int64), blank=True)
    names = table.columns["filename"]
    if "" in names:
        raise RowError(path, table.lines[names.index("")], "no filename")
    first = dict(zip(reversed(names), reversed(table.lines), strict=True))
    clips = dict.fromkeys(names, 0) | first  # in the order of the rows
    cells = zip(*(table.columns[name] for name in COLUMNS[1:]), strict=True)
    table = table.take([i for i, row in enumerate(cells) if any(row)])
    label = table.columns["event_label"]
    if "" in label:
        raise RowError(path, table.lines[label.index("")], "no event_label for this onset and offset")
    onset, offset = table.seconds("onset"), table.seconds("offset")
    if (offset < onset).any():
        i = int((offset < onset).argmax())
        raise RowError(path, table.lines[i], wrong_order(onset[i], offset[i]))
    sure = None if confidence is None else table.numbers(confidence, "a confidence (a number)", lambda x: ~np.isnan(x))
    line = np.array(table.lines, np.int64)
    return EventTable(path, clips, table.columns["filename"], label, onset, offset, line, confidence=sure)


def clean_events(
    table: EventTable, clips: Mapping[str, int], labels: Labels, mend: str, notes: Notes
) -> tuple[Columns, Int[np.ndarray, " event"]]:
    """The events of known clips in a table, without events of 0 s and without repeated rows.

    Args:
        table: the table.
        clips: index of each known clip; events of other clips are left out.
        labels: the classes.
        mend: the fix for an unknown label, for the message.
        notes: gets warnings about events that are left out and events that overlap.

    Returns:
        The events in the order of the rows, and the line of each.

    Raises:
        RowError: an event of a known clip has an unknown label.
    """
    known = {name: i for i, name in enumerate(labels)}
    clip = np.fromiter((clips.get(name, -1) for name in table.clip), np.int64, len(table.clip))
    label = np.fromiter((known.get(name, -1) for name in table.label), np.int64, len(table.label))
    unknown = (clip >= 0) & (label < 0)
    if unknown.any():
        i = int(unknown.argmax())
        text = f"unknown label {table.label[i]!r}{near(table.label[i], labels)}; {mend}; known: {', '.join(labels)}"
        raise RowError(*table.place(int(table.line[i])), text)
    events = Columns(clip, label, table.onset, table.offset)
    keep, line = np.flatnonzero(clip >= 0), table.line
    for matter, wrong in (
        ("events of 0 s (offset equal to onset), left out", lambda c: c.offset == c.onset),
        ("rows that repeat an earlier one, left out", _repeated),
    ):
        out = wrong(events.take(keep))
        note_events(notes, matter, table, line[keep], out)
        keep = keep[~out]
    events, line = events.take(keep), line[keep]
    matter = "overlapping events of one class (event F1 counts them one by one, intersection F1 and PSDS joined)"
    note_events(notes, matter, table, line, overlapping(as_events(events)))
    return events, line


def note_events(
    notes: Notes, matter: str, table: EventTable, line: Int[np.ndarray, " event"], which: Bool[np.ndarray, " event"]
) -> None:
    """Add a warning about the events of a mask, with file and line of the first."""
    if which.any():
        path, number = table.place(int(line[which.argmax()]))
        notes.add(matter, int(which.sum()), f"{path}:{number}")


def as_events(events: Columns) -> Events:
    """Columns as `Events` with gain 1."""
    return Events(*map(torch.from_numpy, events))


def _repeated(events: Columns) -> Bool[np.ndarray, " event"]:
    """Mask of the events that are equal to an earlier event."""
    order = np.lexsort(events[::-1])  # stable: of equal events the first stays first
    same = np.ones(max(order.size - 1, 0), dtype=np.bool_)
    for column in events:
        same &= np.diff(column[order]) == 0
    repeated = np.zeros(order.size, dtype=np.bool_)
    repeated[order[1:]] = same
    return repeated
