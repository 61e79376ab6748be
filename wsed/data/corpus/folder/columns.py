"""The columns of a table of tags: which one names the sound files, and which ones hold the tags."""

from collections import Counter
from pathlib import PurePosixPath

from wsed.data.audio import SUFFIXES
from wsed.data.corpus.folder.files import SoundFiles
from wsed.errors import WsedError
from wsed.formats.cells import DURATION, FILE, GROUPS, LABEL, SPLIT, Cells, plain
from wsed.formats.numbers import is_number
from wsed.formats.rows import RowError

SAMPLE = 200
"""Number of rows by which the column of the files is recognised."""

PRESENT, ABSENT = ("1", "1.0", "true", "yes", "x"), ("0", "0.0", "false", "no", "")
"""Cells of tables with a column per class, in lower case."""

ALSO_SOUNDS = ("person", "animal")
"""Usual names of groups that are also names of sounds."""


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


def class_columns(cells: Cells, file: int) -> list[int]:
    """The columns of zeros and ones per class, and blank columns beside them; none for other tables.

    Tables that have a column with a usual name for tags have none. Columns of splits, groups, durations and other
    numbers say something else.

    Args:
        cells: the table.
        file: its column of the sound files.

    Raises:
        RowError: a column has zeros and ones in most rows, but something else in others.
        WsedError: a column beside several of classes has words, so that it may hold the tags.
    """
    names = [plain(column)[0] for column in cells.header]
    if any(names.index(usual) != file for usual in LABEL if usual in names):
        return []
    known = {*SPLIT, *GROUPS, *DURATION} - {*ALSO_SOUNDS}
    columns = [i for i in named(cells) if i != file and names[i] not in known]
    values = {i: [cell.lower() for cell in cells.values(i) if cell] for i in columns}
    marks = {i: sum(cell in {*PRESENT, *ABSENT} for cell in values[i]) for i in columns}
    classes = [i for i in columns if marks[i] and marks[i] == len(values[i])]
    others = [i for i in columns if marks[i] < len(values[i])]
    words = [i for i in others if names[i] not in GROUPS and not all(map(is_number, values[i]))]
    if all(names[i] in ALSO_SOUNDS for i in classes) or (words and len(classes) == 1):
        return []
    for i in others:
        if marks[i] * 2 > len(values[i]):
            line, row = next(row for row in cells.rows if row[1][i].lower() not in {*PRESENT, *ABSENT})
            raise RowError(
                cells.path,
                line,
                f"{cells.header[i]} is {row[i]!r}, and 0 or 1 in most other rows; correct the cell, or take the column "
                "out if it is not one of a class",
            )
    if words:
        first, column = " and ".join(cells.header[i] for i in classes[:2]), cells.header[words[0]]
        raise WsedError(
            f"{cells.path} has columns of zeros and ones, such as {first}, but {column} has words: if it holds the "
            "tags, set data.corpus.tags.label to it, otherwise take it out of the table"
        )
    return [i for i in columns if i not in others]


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
        f"columns: {', '.join(cells.header[i] for i in others)}"
    )
