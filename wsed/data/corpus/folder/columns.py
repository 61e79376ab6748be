"""The columns of a table of tags: which one names the sound files, and which ones hold the tags."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Literal

from wsed.data.audio import SUFFIXES
from wsed.data.corpus.folder.files import SoundFiles
from wsed.errors import WsedError
from wsed.formats.cells import CONFIDENCE, DETAILS, DURATION, FILE, GROUPS, LABEL, OFFSET, ONSET, SPLIT, Cells, plain
from wsed.formats.numbers import is_number
from wsed.formats.rows import RowError

SAMPLE = 200
"""Number of rows by which the column of the files is recognised."""

PRESENT = frozenset({"1", "1.0", "true", "yes", "x"})
MARKS = PRESENT | {"0", "0.0", "false", "no"}
"""Cells of tables with a column per class, see `_mark`; an empty cell means no."""

ALSO_SOUNDS = frozenset({"person", "animal", "recorder"})
"""Usual names of groups that are also names of sounds."""

OTHER = frozenset({*SPLIT, *GROUPS, *DURATION, *CONFIDENCE, *DETAILS, "id", "index"}) - ALSO_SOUNDS
"""Usual names of columns that are not of a class. Those of onset and offset are not either, if a table has both."""


def named(cells: Cells) -> list[int]:
    """The columns with a name; pandas writes its index without one, or as `Unnamed: 0`."""
    return [i for i, name in enumerate(cells.header) if name and not name.casefold().startswith("unnamed: ")]


def file_column(cells: Cells, files: SoundFiles, name: str | None, setting: str) -> int:
    """The column of the sound files: the named one, or the one whose cells name most files of the folder.

    Raises:
        WsedError: there is no such column, or the first row names a sound file.
    """
    usual = cells.column(name, FILE, setting)
    if name is not None and usual is not None:
        return usual
    hits: Counter[int] = Counter()
    for _, row in cells.rows[:SAMPLE]:
        hits.update(i for i, cell in enumerate(row) if cell and is_file(files, cell))
    if hits:
        most = max(hits.values())
        column = usual if usual is not None and hits[usual] == most else hits.most_common(1)[0][0]
        first = cells.header[column]
        if PurePosixPath(first).suffix.lower() in SUFFIXES or (column != usual and is_file(files, first)):
            times = any(map(is_number, cells.header))
            names = "filename, onset, offset and event_label" if times else "filename and event_labels"
            raise WsedError(
                f"{cells.path} has no header: its first row names the file {first!r}; write a row with the names of "
                f"the columns above it, such as {names}"
            )
        return column
    if usual is not None:
        return usual
    raise WsedError(
        f"{cells.path}: no column names sound files of {files.root} (such as {files.names[0]!r}); set {setting} to "
        f"one of its columns: {', '.join(cells.header)}"
    )


def is_file(files: SoundFiles, cell: str) -> bool:
    """Whether a cell names a sound file of the folder, or several."""
    try:
        return files.find(cell, "") is not None
    except WsedError:  # the name is ambiguous, but it is that of a file
        return True


def named_classes(cells: Cells, names: Sequence[str]) -> list[int]:
    """The named columns of zeros and ones, one per class.

    Raises:
        RowError: one of them has something else in a row.
        WsedError: there is no column of such a name.
    """
    found = [cells.column(name, (), "data.corpus.tags.label") for name in names]
    columns = [i for i in found if i is not None]
    for i in columns:
        if _kind(cells, i) not in ("marks", "blank"):
            raise _no_mark(cells, i, "")
    return columns


def class_columns(cells: Cells, file: int) -> list[int]:
    """The columns of zeros and ones, one per class, by their cells; none for other tables.

    No column may have a usual name for tags. Columns with usual names for splits, groups, times, dates and remarks are
    left aside. A single column of zeros and ones counts only beside splits and groups; beside several there may also be
    other numbers and blank columns.

    Args:
        cells: the table.
        file: its column of the sound files.

    Raises:
        RowError: beside columns of zeros and ones there is one that has something else in some rows.
        WsedError: beside them there is a column of words, so that it may hold the tags.
    """
    names = [plain(column)[0] for column in cells.header]
    if any(names.index(usual) != file for usual in LABEL if usual in names):
        return []
    times = {*ONSET, *OFFSET} if {*ONSET} & {*names} and {*OFFSET, *DURATION} & {*names} else set()
    columns = [i for i in named(cells) if i != file]
    kinds = {i: _kind(cells, i) for i in columns if names[i] not in OTHER | times}
    kinds = {i: kind for i, kind in kinds.items() if kind == "marks" or names[i] not in ALSO_SOUNDS}
    marks, blank, both, words, numbers = (
        [i for i, kind in kinds.items() if kind == wanted] for wanted in ("marks", "blank", "both", "words", "numbers")
    )
    details = [i for i in columns if names[i] in OTHER | times and names[i] not in (*SPLIT, *GROUPS)]
    if all(names[i] in ALSO_SOUNDS for i in marks) or (len(marks) == 1 and (both or words or numbers or details)):
        return []
    way_out = f", or name the columns of the classes: data.corpus.tags.label: [{cells.header[marks[0]]}, ...]"
    if both:
        raise _no_mark(cells, both[0], way_out)
    if words:
        raise WsedError(
            f"{cells.path} has columns of zeros and ones, but the column {cells.header[words[0]]} holds words: if they "
            f"are the tags, set data.corpus.tags.label to it{way_out}"
        )
    return sorted([*marks, *blank])


def is_present(cell: str) -> bool:
    """Whether a cell of a class column says that the class is present."""
    return _mark(cell) in PRESENT


def _mark(cell: str) -> str:
    return cell.lower().replace(",", ".")


Kind = Literal["blank", "marks", "numbers", "words", "both"]


def _kind(cells: Cells, column: int) -> Kind:
    """What a column holds.

    Marks are zeros and ones only. "Both" are zeros and ones among other things in half of the rows or more: counts of a
    class, probabilities, or mistakes. Numbers that are all different, such as those of the rows, are not.
    """
    values = Counter(map(_mark, cells.values(column)))
    absent = values.pop("", 0)
    if not values:
        return "blank"
    if MARKS.issuperset(values):
        return "marks"
    marks = absent + sum(count for value, count in values.items() if value in MARKS)
    numeric = all(is_number(value) and value != "nan" for value in values)
    numbers = [float(value) for value in values] if numeric else []
    if numeric and (absent + len(values) == len(cells.rows) > 3 or min(numbers) < 0):
        return "numbers"
    if marks * 2 >= len(cells.rows) or (numeric and max(numbers) <= 1):
        return "both"
    return "numbers" if numeric else "words"


def _no_mark(cells: Cells, column: int, way_out: str) -> RowError:
    """An error for the first cell of a column that is neither 0 nor 1."""
    line, row = next(row for row in cells.rows if row[1][column] and _mark(row[1][column]) not in MARKS)
    name = cells.header[column]
    return RowError(cells.path, line, f"{name} is {row[column]!r}, expected 0 or 1; correct the cell{way_out}")


def label_column(cells: Cells, file: int, name: str | None) -> int:
    """The column of the tags.

    Raises:
        WsedError: no column is recognised.
    """
    if name is not None:
        column = cells.column(name, LABEL, "data.corpus.tags.label")
        assert column is not None
        return column
    names = [plain(column)[0] for column in cells.header]
    known = [names.index(usual) for usual in LABEL if usual in names and names.index(usual) != file]
    if known:
        return known[0]
    others = [i for i in named(cells) if i != file]
    if len(others) == 1:
        return others[0]
    raise WsedError(
        f"{cells.path} has no column with a usual name for tags; set data.corpus.tags.label to one of its "
        f"columns ({', '.join(cells.header[i] for i in others)}), or to a list of columns of zeros and ones"
    )
