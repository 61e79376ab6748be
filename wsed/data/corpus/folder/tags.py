"""Tags of sound files: from a table, or from the folders that the files are in."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsed.data.corpus.folder.columns import class_columns, file_column, is_present, label_column, named, named_classes
from wsed.data.corpus.folder.files import SoundFiles, folders
from wsed.data.corpus.folder.settings import FOLDERS, TagTable, place
from wsed.errors import WsedError
from wsed.formats.cells import DURATION, OFFSET, ONSET, are_lists, plain, read_cells, tag_separator, tags_in


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
    classes = []
    if tags.label is None:
        classes = class_columns(cells, file)
    elif not isinstance(tags.label, str):
        classes = named_classes(cells, tags.label)
    labels = classes or [label_column(cells, file, tags.label if isinstance(tags.label, str) else None)]
    between = tags.between or tag_separator(cells.values(labels[0]))
    lists = are_lists(cells.values(labels[0]), between)
    others = [i for i in named(cells) if i not in (file, *labels)]
    rows = [
        Tagged(
            line,
            row[file],
            files.find(row[file], f"{path}:{line}: ") if row[file] else None,
            tuple(cells.header[i] for i in classes if is_present(row[i]))
            if classes
            else tuple(tags_in(row[labels[0]], between, lists)),
            {cells.header[i]: row[i] for i in others},
        )
        for line, row in cells.rows
    ]
    check_there(path, {row.file: row.number for row in rows}, files, "data.corpus.tags.file")
    return rows


def times_in(rows: Sequence[Tagged]) -> tuple[str, ...]:
    """The columns of onset and offset (or duration) in a table of tags; empty without both."""
    names = [(name, plain(name)[0]) for row in rows[:1] for name in row.facts]
    first = [name for name, usual in names if usual in ONSET]
    last = [name for name, usual in names if usual in (*OFFSET, *DURATION)]
    return (first[0], last[0]) if first and last else ()


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
