"""Label tables: tab-separated files of clips, tags and events; errors name the row."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from wsed.data.clip import Timed
from wsed.errors import WsedError
from wsed.files import write_whole
from wsed.formats.rows import RowError as RowError
from wsed.formats.rows import separator_of as separator_of
from wsed.formats.rows import split_rows as split_rows
from wsed.formats.rows import tab_line
from wsed.formats.rows import unquoted as unquoted
from wsed.text import composed
from wsed.text import read_text as _read_text

Problems = list[RowError] | None
"""A list to which malformed rows are added; None: the first malformed row is raised."""


def read_columns(path: str | Path) -> list[str]:
    """The column names of a table: the cells of its first line.

    Raises:
        WsedError: the file is missing or not UTF-8 text.
    """
    return [cell.strip() for cell in _cells(path)[0][1]]


def read_rows(path: str | Path, columns: Sequence[str], problems: Problems = None) -> list[tuple[int, dict[str, str]]]:
    """The rows of a tab- or comma-separated table with a header, each with its line number.

    White space around cells is removed; missing cells at the end of a row are empty.

    Args:
        path: the table.
        columns: columns that the table must have.
        problems: see `Problems`.

    Raises:
        WsedError: the file is missing or not UTF-8 text, a column is missing, or a row has no file name or more cells
            than the header.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "weak.tsv"
    ...     write_rows(path, ["filename", "event_labels"], [["a.wav", "Dog,Cat"]])
    ...     print(read_rows(path, ["filename"]), sorted(read_weak(path)["a.wav"]))
    [(2, {'filename': 'a.wav', 'event_labels': 'Dog,Cat'})] ['Cat', 'Dog']
    """
    (_, header), *lines = _cells(path)
    names = [name.strip() for name in header]
    absent = [c for c in columns if c not in names]
    if absent:
        raise WsedError(f"{path}: no column {', '.join(absent)}; its header is {names}, expected {list(columns)}")
    rows: list[tuple[int, dict[str, str]]] = []
    for line, cells in lines:
        row = dict.fromkeys(names, "") | {n: cell.strip() for n, cell in zip(names, cells, strict=False)}
        if any(cell.strip() for cell in cells[len(names) :]):
            report(RowError(path, line, f"{len(cells)} cells where the header has {len(names)}"), problems)
        elif "filename" in columns and not row["filename"]:
            report(RowError(path, line, "no filename"), problems)
        else:
            rows.append((line, row))
    return rows


def _cells(path: str | Path) -> list[tuple[int, list[str]]]:
    """The header, and all rows that are not blank, with their line numbers."""
    lines = read_text(path).split("\n")
    rows = split_rows(path, lines, separator_of(lines[0]))
    return [(line, cells) for line, cells in rows if line == 1 or any(cell.strip() for cell in cells)]


def read_text(path: str | Path) -> str:
    """The text of a table or a list of classes, with composed letters (Unicode NFC), so that names can be compared.

    Raises:
        WsedError: see `wsed.text.read_text`.
    """
    return composed(_read_text(path, "table"))


def weak_rows(path: str | Path, problems: Problems = None) -> list[tuple[int, str, frozenset[str]]]:
    """Line number, clip id and tags of each row; columns `filename, event_labels` (comma-separated classes)."""
    rows = read_rows(path, ("filename", "event_labels"), problems)
    return [(line, row["filename"], _tags(row)) for line, row in rows]


def strong_rows(path: str | Path, problems: Problems = None) -> list[tuple[int, str, Timed | None]]:
    """Line number, clip id and event of each row; columns `filename, onset, offset, event_label`.

    A row with only a filename is a clip without events; its event is None.

    Raises:
        WsedError: a label or a time is missing, a time is not a number or is negative, or an offset is not after its
            onset.
    """
    rows: list[tuple[int, str, Timed | None]] = []
    for line, row in read_rows(path, ("filename", "onset", "offset", "event_label"), problems):
        try:
            rows.append((line, row["filename"], _event(row)))
        except WsedError as error:
            report(RowError(path, line, f"{error} ({row['filename']})"), problems)
    return rows


def read_weak(path: str | Path) -> dict[str, frozenset[str]]:
    """The tags of each clip, by its id; columns as in `weak_rows`. The tags of several rows of a clip are joined."""
    tags: dict[str, frozenset[str]] = {}
    for _, name, names in weak_rows(path):
        tags[name] = tags.get(name, frozenset()) | names
    return tags


def read_strong(path: str | Path) -> dict[str, tuple[Timed, ...]]:
    """The events of each clip, by its id; columns and errors as in `strong_rows`."""
    events: dict[str, list[Timed]] = {}
    for _, name, event in strong_rows(path):
        events.setdefault(name, []).extend([event] if event else [])
    return {name: tuple(rows) for name, rows in events.items()}


def read_durations(path: str | Path) -> dict[str, float]:
    """The duration of each clip in seconds, by its id; columns `filename, duration`.

    Raises:
        WsedError: a duration is not a number or is negative.
    """
    durations = {}
    for line, row in read_rows(path, ("filename", "duration")):
        try:
            durations[row["filename"]] = _seconds(row, "duration")
        except WsedError as error:
            raise RowError(path, line, f"{error} ({row['filename']})") from None
    return durations


def label_names(path: str | Path) -> set[str]:
    """The classes in a table of tags or events; malformed rows are ignored."""
    columns, problems = read_columns(path), list[RowError]()
    names = {tag for _, _, tags in weak_rows(path, problems) for tag in tags} if "event_labels" in columns else set()
    if "onset" in columns:
        names |= {event[0] for _, _, event in strong_rows(path, problems) if event is not None}
    return names


def read_names(path: str | Path) -> list[str]:
    """The clip ids of a table, in file order, each once."""
    return list(dict.fromkeys(row["filename"] for _, row in read_rows(path, ("filename",))))


def write_rows(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a tab-separated table with a header, atomically; floats have three decimals.

    Raises:
        WsedError: a cell holds a tab or a line break.
    """
    path = Path(path)
    with write_whole(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        file.write("\t".join(columns) + "\n")
        for row in rows:
            cells = [f"{value:.3f}" if isinstance(value, float) else str(value) for value in row]
            file.write(tab_line(path, cells))


def report(error: RowError, problems: Problems) -> None:
    """Add a malformed row to the problems, or raise it if they are None."""
    if problems is None:
        raise error
    problems.append(error)


def _tags(row: dict[str, str]) -> frozenset[str]:
    return frozenset(n.strip() for n in row["event_labels"].split(",") if n.strip())


def _event(row: dict[str, str]) -> Timed | None:
    label = row["event_label"]
    if not (label or row["onset"] or row["offset"]):
        return None
    if not label:
        raise WsedError("no event_label for this onset and offset")
    onset, offset = _seconds(row, "onset"), _seconds(row, "offset")
    if offset <= onset:
        raise WsedError(wrong_order(onset, offset))
    return label, onset, offset


def wrong_order(onset: float, offset: float) -> str:
    """The message about an event whose offset is not after its onset."""
    return f"offset {offset:g} is not after onset {onset:g}; correct the times, or delete the row"


def _seconds(row: dict[str, str], column: str) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise WsedError(f"{column} is {row[column]!r}, expected seconds (a number, 0 or more)")
    return value
