"""Recognise what a folder contains: tables, label files, folders named by class, splits and groups."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from wsed.data.corpus.folder.events import label_files
from wsed.data.corpus.folder.files import BACKGROUND, SoundFiles, folders
from wsed.data.corpus.folder.settings import FOLDERS, EventTable, Splits, TagTable
from wsed.data.corpus.folder.splits import STARTS
from wsed.data.corpus.folder.tags import SAMPLE, class_columns, file_column, label_column
from wsed.errors import WsedError
from wsed.formats.cells import GROUPS, SPLIT, Cells, plain, read_cells
from wsed.formats.raven import is_raven
from wsed.formats.reading import read_events
from wsed.formats.table import is_events
from wsed.text import read_text

VALIDATION = TEST = 0.15
OTHERS = ("metadata", "*/metadata", "*/*/metadata")
"""Names of folders that show the layout of DESED."""
TABLES = ("*.[ct]sv", "*/*.[ct]sv")
"""Where tables are looked for."""


class Settings(TypedDict, total=False):
    """Arguments of `Folder`."""

    root: Path
    tags: str | TagTable | None
    events: str | EventTable | None
    splits: Splits | None


def guess(root: Path, labels: Path | None = None) -> Settings | None:
    """The settings that fit a folder.

    Args:
        root: the folder of the recordings.
        labels: a table of tags or of events, or a folder of label files; None: those in the folder are used.

    Returns:
        None if the folder is another kind of corpus, or its classes cannot be recognised.

    Raises:
        WsedError: there is no sound file, or `labels` cannot be read.
    """
    if not root.is_dir() or any(path.is_dir() for depth in OTHERS for path in root.glob(depth)):
        return None
    files = SoundFiles(root)
    settings: Settings = {"root": root}
    tables = list(_tables(files, root, labels))
    for table, path, events in tables:
        settings["events" if events else "tags"] = _name(root, path)
        if (splits := splits_of(table)) is not None:
            settings.setdefault("splits", splits)
    if labels is not None and not tables:
        settings["events"] = _name(root, labels)
    elif "events" not in settings and any(_is_labels(files, path) for path in label_files(root)):
        settings["events"] = "."
    if not settings.keys() & {"tags", "events"}:
        names = {above[-1] for name in files.names if (above := folders(name)) and above[-1] not in BACKGROUND}
        if len(names) < 2:
            return None
        settings["tags"] = FOLDERS
    return settings


def _tables(files: SoundFiles, root: Path, labels: Path | None) -> Iterator[tuple[Cells, Path, bool]]:
    """The tables that name sound files, tables of tags first, and whether each is a table of events."""
    paths = [path for depth in TABLES for path in root.glob(depth)] if labels is None else [labels]
    read = []
    for path in sorted(path for path in paths if path.is_file()):
        try:
            if is_raven(read_text(path).split("\n", 1)[0]) or path.suffix.lower() not in (".csv", ".tsv"):
                continue
            cells = read_cells(path)
            file = file_column(cells, files, None, "")
            timed = is_events(cells)
            if not timed and not class_columns(cells, file):
                label_column(cells, file, None)
            if any(_found(files, row[file]) for _, row in cells.rows[:SAMPLE]):
                read.append((cells, path, timed))
        except WsedError:
            if labels is not None:
                raise
    for events in (False, True):
        yield from [table for table in read if table[2] == events][:1]


def _found(files: SoundFiles, name: str) -> bool:
    try:
        return files.find(name, "") is not None
    except WsedError:
        return True


def _is_labels(files: SoundFiles, path: Path) -> bool:
    """Whether a file has the name of a sound file and contains events."""
    try:
        return files.belonging(path) is not None and read_events(path) is not None
    except WsedError:
        return False


def not_read(root: Path) -> str:
    """Why the first table or label file that may hold the classes is not used; empty if there is no such file.

    >>> not_read(Path("no such folder"))
    ''
    """
    tables = [path for depth in TABLES for path in sorted(root.glob(depth))]
    paths = [*tables, *(path for path in label_files(root) if path not in tables)]
    if not paths:
        return ""
    files = SoundFiles(root)
    for path in paths:
        try:
            if path in tables and files.belonging(path) is None:
                file_column(read_cells(path), files, None, "data.corpus.tags.file")
            if not read_events(path, setting="data.corpus.events"):
                return f"{path} has no events"
        except WsedError as error:
            return str(error)
    return ""


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def splits_of(table: Cells) -> Splits | None:
    """The splits by a column of a table, or drawn by the groups of a column; None without such columns."""
    names = [plain(column)[0] for column in table.header]
    for usual in SPLIT:
        if usual in names:
            column = names.index(usual)
            values = {value.casefold() for value in table.values(column)}
            if any(value.startswith(STARTS["train"]) for value in values) and len(values) > 1:
                return Splits(column=table.header[column])
    group = next((table.header[names.index(name)] for name in GROUPS if name in names), None)
    return None if group is None else Splits(group=group, validation=VALIDATION, test=TEST)
