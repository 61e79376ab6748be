"""Tags of sound files: from a table, or from the folders that the files are in."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from wsed.data.corpus.folder.files import SoundFiles, folders
from wsed.data.corpus.folder.settings import FOLDERS, TagTable, place
from wsed.errors import WsedError
from wsed.formats.cells import DURATION, FILE, GROUPS, LABEL, SPLIT, Cells, plain, read_cells, tag_separator, tags_in

SAMPLE = 200
"""Number of rows by which the column of the files is recognised."""

PRESENT, ABSENT = ("1", "1.0", "true", "yes", "x"), ("0", "0.0", "false", "no", "")
"""Cells of tables with a column per class, in lower case."""


@dataclass(frozen=True)
class Tagged:
    """A row of a table of tags.

    Attributes:
        line: its line number.
        file: name of the sound file as it is written.
        number: number of the sound file; None if the file is missing.
        tags: its labels, in order.
        facts: the other cells by column: patient, site, split, ...
    """

    line: int
    file: str
    number: int | None
    tags: tuple[str, ...]
    facts: Mapping[str, str]


def read_tags(files: SoundFiles, tags: TagTable) -> list[Tagged]:
    """The rows of a table of tags.

    Raises:
        WsedError: the table is missing, a column cannot be recognised, or all files that it names are missing.
    """
    path = place(files.root, tags.table, "data.corpus.tags")
    cells = read_cells(path, tags.separator)
    file = file_column(cells, files, tags.file, "data.corpus.tags.file")
    classes = [] if tags.label is not None else class_columns(cells, file)
    labels = classes or [label_column(cells, file, tags.label)]
    between = tags.between or tag_separator(cells.values(labels[0]))
    others = [i for i in range(len(cells.header)) if i not in (file, *labels)]
    rows = [
        Tagged(
            line,
            row[file],
            files.find(row[file], f"{path}:{line}: ") if row[file] else None,
            tuple(cells.header[i] for i in classes if row[i].lower() in PRESENT)
            if classes
            else tuple(tags_in(row[labels[0]], between)),
            {cells.header[i]: row[i] for i in others},
        )
        for line, row in cells.rows
    ]
    check_there(path, {row.file: row.number for row in rows}, files, "data.corpus.tags.file")
    return rows


def check_there(path: Path, numbers: Mapping[str, int | None], files: SoundFiles, setting: str) -> None:
    """Refuse a table whose files are all missing."""
    if not numbers:
        raise WsedError(f"{path} has a header but no rows; write a row for each file")
    if all(number is None for number in numbers.values()):
        name = next(iter(numbers))
        raise WsedError(
            f"{path}: none of the {len(numbers)} files that it names is in {files.root} (first: {name!r}; files "
            f"there are called like {files.names[0]!r}); set data.corpus.root to their folder, or {setting} to the "
            "column of their names"
        )


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
        hits.update(i for i, cell in enumerate(row) if cell and _is_file(files, cell))
    if hits:
        most = max(hits.values())
        column = usual if usual is not None and hits[usual] == most else hits.most_common(1)[0][0]
        first = cells.header[column]
        if column != usual and _is_file(files, first):
            raise WsedError(
                f"{cells.path} has no header: its first row names the file {first!r}; write a row with the names of "
                "the columns above it, such as filename and event_labels"
            )
        return column
    if usual is not None:
        return usual
    raise WsedError(
        f"{cells.path}: no column names sound files of {files.root} (such as {files.names[0]!r}); set {setting} to "
        f"one of its columns: {', '.join(cells.header)}"
    )


def class_columns(cells: Cells, file: int) -> list[int]:
    """The columns of a table with a column of zeros and ones per class; none for other tables.

    All columns must be such, but those of the files, splits, groups and durations.

    Args:
        cells: the table.
        file: its column of the sound files.
    """
    names = [plain(column)[0] for column in cells.header]
    if any(names.index(usual) != file for usual in LABEL if usual in names):
        return []
    columns = [i for i, name in enumerate(names) if i != file and name not in (*SPLIT, *GROUPS, *DURATION)]
    values = [{cell.lower() for cell in cells.values(i)} for i in columns]
    return columns if all(of <= {*PRESENT, *ABSENT} and of - {""} for of in values) else []


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
    others = [i for i in range(len(names)) if i != file]
    if len(others) == 1:
        return others[0]
    raise WsedError(
        f"{cells.path} has no column with a usual name for tags; set data.corpus.tags.label to one of its "
        f"columns: {', '.join(cells.header)}"
    )


def _is_file(files: SoundFiles, cell: str) -> bool:
    try:
        return files.find(cell, "") is not None
    except WsedError:  # the name is ambiguous, but it is that of a file
        return True


def folder_tags(files: SoundFiles, classes: Collection[str] | None, background: Collection[int]) -> list[Tagged]:
    """A row for each file in a folder named by class.

    Args:
        files: the sound files.
        classes: the known labels: the tag of a file is its nearest folder with such a name; None: the folder that the
            file is in.
        background: numbers of the files without any class.

    Raises:
        WsedError: no file is in such a folder.
    """
    rows = []
    for i, name in enumerate(files.names):
        above = [part for part in reversed(folders(name)) if classes is None or part in classes]
        if above and i not in background:
            rows.append(Tagged(0, name, i, (above[0],), {}))
    if not rows:
        what = "is in a folder named by its class" if classes is None else "is in a folder of a class"
        raise WsedError(
            f"data.corpus.tags is {FOLDERS}, but none of the {len(files)} sound files of {files.root} {what}; set it "
            "to a table of tags"
        )
    return rows
