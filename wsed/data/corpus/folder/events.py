"""Events of sound files, from one file for all sound files or from one label file per sound file."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from wsed.data.corpus.folder.columns import file_column
from wsed.data.corpus.folder.files import SoundFiles
from wsed.data.corpus.folder.settings import EventTable, place
from wsed.data.corpus.folder.tags import check_there
from wsed.errors import WsedError
from wsed.formats.cells import CONFIDENCE, DURATION, LABEL, OFFSET, ONSET, Cells, plain, read_cells
from wsed.formats.event import Event
from wsed.formats.reading import SUFFIXES, format_of, read_events

SETTING = "data.corpus.events"
OF_EVENTS = {*LABEL, *ONSET, *OFFSET, *DURATION, *CONFIDENCE}


@dataclass(frozen=True)
class Timed:
    """A row of a file of events.

    Attributes:
        event: the event as it is written; its label is empty if the row names a file without events.
        number: number of the sound file; None if the file is missing.
        facts: the other cells of the row by column (patient, site, split).
    """

    event: Event
    number: int | None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FoundEvents:
    """The events of a folder.

    Attributes:
        rows: the rows of all files.
        known: the numbers of the sound files whose events are known, even if they have none.
        unused: label files that belong to no sound file.
    """

    rows: tuple[Timed, ...]
    known: frozenset[int]
    unused: tuple[Path, ...] = ()


def find_events(files: SoundFiles, events: EventTable) -> FoundEvents:
    """The events of a file, or of the label files in a folder.

    Raises:
        WsedError: there are no events, they cannot be read, or all their sound files are missing.
    """
    path = place(files.root, events.table, SETTING)
    return _of_folder(path, files, events) if path.is_dir() else _of_file(path, files, events)


def _of_file(path: Path, files: SoundFiles, events: EventTable) -> FoundEvents:
    facts: dict[int, dict[str, str]] = {}  # by line
    if format_of(path) == "table":
        cells = read_cells(path, events.separator)
        file = file_column(cells, files, events.file, f"{SETTING}.file")
        events = replace(events, file=cells.header[file])
        facts = _facts(cells, {cells.header[file], events.onset, events.offset, events.duration, events.label})
    read = read_events(path, events, SETTING)
    if nameless := [event for event in read if not event.file]:
        if len(files) > 1:
            raise WsedError(
                f"{path}:{nameless[0].line}: the event names no file; set {SETTING}.file to the column of the files, "
                f"or {SETTING} to a folder of label files with the names of their sound files"
            )
        read = [event._replace(file=files.names[0]) for event in read]
    numbers = [files.find(event.file, f"{path}:{event.line}: ") for event in read]
    rows = tuple(
        Timed(event, number, {} if number is None else facts.get(event.line, {}))
        for event, number in zip(read, numbers, strict=True)
    )
    check_there(path, {row.event.file: row.number for row in rows}, files, f"{SETTING}.file")
    return FoundEvents(rows, frozenset(row.number for row in rows if row.number is not None))


def _facts(cells: Cells, used: Collection[str | None]) -> dict[int, dict[str, str]]:
    """The cells of each row that may describe its file, by line: those of columns that do not describe the event."""
    own = [i for i, name in enumerate(cells.header) if name not in used and plain(name)[0] not in OF_EVENTS]
    return {line: {cells.header[i]: row[i] for i in own} for line, row in cells.rows} if own else {}


def _of_folder(folder: Path, files: SoundFiles, events: EventTable) -> FoundEvents:
    rows: list[Timed] = []
    known: set[int] = set()
    unused: list[Path] = []
    for path in label_files(folder):
        number = files.belonging(path)
        if number is None:
            unused.append(path)
            continue
        known.add(number)
        for event in read_events(path, events, SETTING):
            rows.append(Timed(event._replace(file=files.names[number]), number))
    if not known:
        first = f" (there is {unused[0].name})" if unused else ""
        raise WsedError(
            f"{SETTING} is the folder {folder}, but no label file in it has the name of a sound file of {files.root}"
            f"{first}; name them a.txt, a.TextGrid or a.csv for a.wav"
        )
    return FoundEvents(tuple(rows), frozenset(known), tuple(unused))


def label_files(folder: Path) -> Iterator[Path]:
    """Files in a folder and below it that may hold events."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield path
