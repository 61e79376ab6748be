"""Recognise what a folder contains: tables, label files, folders named by class, splits and groups."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypedDict

from wsed.data import audio
from wsed.data.corpus.folder.columns import SAMPLE, class_columns, file_column, is_file, label_column
from wsed.data.corpus.folder.events import label_files
from wsed.data.corpus.folder.files import BACKGROUND, SoundFiles, folders
from wsed.data.corpus.folder.settings import FOLDERS, EventTable, Splits, TagTable
from wsed.data.corpus.folder.splits import STARTS
from wsed.errors import WsedError
from wsed.formats.cells import GROUPS, SPLIT, Cells, plain, read_cells
from wsed.formats.raven import is_raven
from wsed.formats.reading import read_events
from wsed.formats.table import Columns, events_of, is_events
from wsed.text import read_text

VALIDATION = TEST = 0.15
LOOKED_AT = 20
"""Number of rows whose times are compared with the length of their file."""
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
    tables = _tables(files, root, labels)
    for table in tables:
        settings["events" if table.events else "tags"] = _name(root, table.cells.path)
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


class Table(NamedTuple):
    """A table that names sound files.

    Args:
        cells: the table.
        events: whether it is one of events; otherwise it is one of tags.
        classes: its columns of zeros and ones per class.
    """

    cells: Cells
    events: bool
    classes: Collection[int]


def _tables(files: SoundFiles, root: Path, labels: Path | None) -> list[Table]:
    """The first table of tags and the first table of events that name sound files.

    Tables with a label column come before those with a column per class, which may be flags.
    """
    paths = [path for depth in TABLES for path in root.glob(depth)] if labels is None else [labels]
    found = []
    for path in sorted(path for path in paths if path.is_file()):
        try:
            if is_raven(read_text(path).split("\n", 1)[0]) or path.suffix.lower() not in (".csv", ".tsv"):
                continue
            if (table := _table(files, path)) is not None:
                found.append(table)
            elif labels is not None:
                first = "".join(f"the first row is {', '.join(row)}; " for _, row in read_cells(path).rows[:1])
                raise WsedError(
                    f"{labels}: no cell names a sound file of {root} ({first}the first file is {files.names[0]}): "
                    "correct the names, or the folder"
                )
        except WsedError:
            if labels is not None:
                raise
    timed = [table for table in found if table.events]
    tags = sorted((table for table in found if not table.events), key=lambda table: bool(table.classes))
    if timed and tags and len(tags[0].classes) == 1:  # it says something else of the files
        tags = []
    return [*tags[:1], *timed[:1]]


def _table(files: SoundFiles, path: Path) -> Table | None:
    """A table of tags or events; None if it names no sound file of the folder.

    Raises:
        WsedError: its columns are not recognised.
    """
    cells = read_cells(path)
    file = file_column(cells, files, None, "data.corpus.tags.file")
    classes = class_columns(cells, file)
    events = is_events(cells) and not classes and not _cut(cells, file, files)
    if not events and not classes:
        label_column(cells, file, None)
    names_files = any(is_file(files, row[file]) for _, row in cells.rows[:SAMPLE])
    return Table(cells, events, classes) if names_files else None


def _cut(cells: Cells, file: int, files: SoundFiles) -> bool:
    """Whether the times say where sound files were cut from longer recordings.

    So it is if most of the rows that are looked at end after their file, and are as long as it.
    """
    some = replace(cells, rows=cells.rows[:: max(1, len(cells.rows) // LOOKED_AT)])
    cut = known = 0
    with suppress(WsedError):
        for event in events_of(some, Columns(file=cells.header[file])):
            number = files.find(event.file, "")
            if number is not None and event.label:
                length = audio.info(files.paths[number]).duration
                whole = abs(event.offset - event.onset - length) < 0.1 * length
                known += not (whole and event.offset <= 1.1 * length)  # which the whole file is in either case
                cut += whole and event.offset > 1.1 * length
    return cut * 2 > known


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
    tables = dict.fromkeys(path for depth in TABLES for path in sorted(root.glob(depth)))
    paths = dict.fromkeys([*tables, *label_files(root)])
    if not paths:
        return ""
    files = SoundFiles(root)
    for path in paths:
        of_one = True
        try:
            of_one = files.belonging(path) is not None
            if path in tables and not of_one:
                if _table(files, path) is None:
                    return f"{path} names no sound file of {root} (such as {files.names[0]})"
            elif not read_events(path, setting="data.corpus.events"):
                return f"{path} has no events"
            elif not of_one:
                return f"{path} has the name of no sound file (such as {files.names[0]}); label files must have one"
        except WsedError as error:
            if of_one or path in tables:
                return str(error)
    return ""


def _name(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def splits_of(table: Table) -> Splits | None:
    """The splits by a column of a table, or drawn by the groups of a column; None without such columns."""
    header = table.cells.header
    columns: dict[str, int] = {}
    for i, name in enumerate(header):
        if i not in table.classes:
            columns.setdefault(plain(name)[0], i)
    for usual in SPLIT:
        if usual in columns:
            values = {value.casefold() for value in table.cells.values(columns[usual])}
            if any(value.startswith(STARTS["train"]) for value in values) and len(values) > 1:
                return Splits(column=header[columns[usual]])
    group = next((header[columns[name]] for name in GROUPS if name in columns), None)
    return None if group is None else Splits(group=group, validation=VALIDATION, test=TEST)
