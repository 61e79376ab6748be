"""What the tables of a folder say about each sound file, joined."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wsed.data.clip import Timed
from wsed.data.corpus.folder.classes import Classes, ClassMap, counted
from wsed.data.corpus.folder.events import FoundEvents
from wsed.data.corpus.folder.files import SoundFiles
from wsed.data.corpus.folder.tags import Tagged
from wsed.errors import WsedError


@dataclass
class OneFile:
    """What is known about one file.

    Attributes:
        name: its path below the folder; if the file is missing, its name in the table.
        path: where the file is or should be.
        tags: its labels as they are written; None if they are unknown.
        events: its events, with labels as they are written; None if they are unknown.
        facts: other cells, by column; without columns in which two of its rows differ.
        differing: the cells of two rows that differ, with table and line, by column.
        line: line number of its first row.
        table: the table with its first row; empty if it has no row.
        background: whether it lies in a folder of background sounds.
    """

    name: str
    path: Path
    tags: set[str] | None = None
    events: list[Timed] | None = None
    facts: dict[str, str] = field(default_factory=dict)
    differing: dict[str, str] = field(default_factory=dict)
    line: int = 0
    table: str = ""
    background: bool = False

    def add(self, facts: Mapping[str, str], table: str, line: int) -> None:
        """Add the cells of a row. A column is left out if two rows differ in it."""
        for column, value in facts.items():
            if column not in self.differing and self.facts.setdefault(column, value) != value:
                first = f"{self.facts.pop(column)!r} in {self.table}:{self.line}"
                self.differing[column] = f"{first}, {value!r} in {table}:{line}"
        if not self.table:
            self.table, self.line = table, line


def join(
    files: SoundFiles, tags: Iterable[Tagged], events: FoundEvents, background: Iterable[int], tables: tuple[str, str]
) -> tuple[list[OneFile], int]:
    """All files with what is known about them, missing files last, and the number of events of 0 s left out.

    Args:
        files: the sound files.
        tags: the rows of the table of tags.
        events: the events.
        background: numbers of the files of background sounds.
        tables: the names of the tables of tags and of events, for messages.
    """
    known = [OneFile(name, path) for name, path in zip(files.names, files.paths, strict=True)]
    missing: dict[str, OneFile] = {}

    def of(number: int | None, name: str) -> OneFile:
        return known[number] if number is not None else missing.setdefault(name, OneFile(name, files.root / name))

    for row in tags:
        file = of(row.number, row.file)
        file.tags = (file.tags or set()) | set(row.tags)
        file.add(row.facts, tables[0], row.line)
    empty = 0
    for number in sorted(events.known):
        known[number].events = []
    for timed in events.rows:
        file, event = of(timed.number, timed.event.file), timed.event
        file.events = [] if file.events is None else file.events
        file.add(timed.facts, tables[1], event.line)
        if event.label and event.offset > event.onset:
            file.events.append((event.label, event.onset, event.offset))
        empty += bool(event.label) and event.offset <= event.onset
    for number in events.known:  # a label file may be empty
        known[number].table = known[number].table or tables[1]
    for number in background:
        known[number].background = True
        known[number].tags = known[number].tags or set()
    return [*known, *missing.values()], empty


@dataclass(frozen=True)
class Incomplete:
    """A file with a tag of a class that has no event in it."""

    name: str
    tag: str


def settle(files: list[OneFile], classes: Classes) -> tuple[ClassMap, list[Incomplete]]:
    """Make the tags and events of each file consistent; returns the classes and the files with incomplete events.

    The tags of a file are those of its rows and of its events. The events of a file are known if each of its tags has
    one. A file without any class has known events (none) if the events of all other files are known; for a background
    file it is enough that the events of any file are known.

    Raises:
        WsedError: there are no labels, or `classes` names a label that does not occur.
    """
    labels = counted(label for file in files for label in _labels(file))
    mapped = ClassMap(classes, labels)
    incomplete = []
    some = any(file.events is not None for file in files)
    for file in files:
        timed = {label for label, _, _ in file.events or ()}
        if file.events is not None:
            without = sorted(mapped.tags(file.tags or ()) - mapped.tags(timed))
            if without:
                incomplete.append(Incomplete(file.name, without[0]))
                file.events = None
            file.tags = (file.tags or set()) | timed
    every = some and all(file.events is not None or not mapped.tags(file.tags or ()) for file in files)
    for file in files:
        if file.events is None and file.tags is not None and not mapped.tags(file.tags):
            file.events = [] if every or (some and file.background) else None
    return mapped, incomplete


def _labels(file: OneFile) -> list[str]:
    timed = [label for label, _, _ in file.events or ()]
    return [*timed, *sorted((file.tags or set()) - set(timed))]


def check_labels(files: SoundFiles, listed: Iterable[OneFile], names: Mapping[str, object] | tuple[str, ...]) -> None:
    """Refuse a folder without any labels.

    Raises:
        WsedError: no file has a label.
    """
    if names:
        return
    rows = sum(file.tags is not None or file.events is not None for file in listed)
    raise WsedError(
        f"no labels: none of the {len(files)} sound files of {files.root} has a tag or an event ({rows} have an empty "
        "row); set data.corpus.tags to a table of tags or to `folders`, or data.corpus.events to a file of events or a "
        "folder of label files"
    )
