"""Events as other programs write them, as a table: Audacity, Raven, TextGrid, RTTM, Label Studio and JSON of wsed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from wsed.data.audio import SUFFIXES
from wsed.errors import WsedError
from wsed.formats import audacity, json, label_studio, raven, reading, rttm, textgrid
from wsed.formats.event import Event
from wsed.scoring.formats.event_table import EventTable, Notes
from wsed.text import read_json, read_text

Read = Callable[[Path], list[Event]]

PER_RECORDING = (".txt", ".textgrid")
"""Suffixes of files that hold the events of one recording."""


def reader_of(path: Path) -> Read | None:
    """The reader of a file of another program; None if it is not such a file, or is blank."""
    suffix = path.suffix.lower()
    if suffix == ".textgrid":
        return textgrid.read
    if suffix == ".rttm":
        return rttm.read
    if suffix == ".json":
        return json.read if isinstance(read_json(path, "export it again"), dict) else label_studio.read
    if suffix != ".txt" or not read_text(path).strip():
        return None
    try:
        kind = reading.format_of(path)
    except WsedError:
        return None
    return {"audacity": audacity.read, "raven": raven.read}.get(kind)


def is_exchange(place: Path) -> bool:
    """Whether a file is of another program, or a folder holds such files, one per recording, at any depth."""
    if place.is_file():
        return reader_of(place) is not None
    files = _files(place) if place.is_dir() else []
    return any(map(reader_of, files)) and all(reader_of(file) or not read_text(file).strip() for file in files)


def read_exchange(place: Path) -> EventTable:
    """The events of a file that `is_exchange`, or of all files of such a folder, each named after its recording.

    Raises:
        WsedError: a file is malformed.
    """
    if place.is_dir():
        named = [(_name(file.relative_to(place)), file) for file in _files(place)]
        found = [(file, each) for name, file in named for each in _events(file, name)]
        places = [(file, each.line) for file, each in found if each.label]
        return _table(place, [each for _, each in found], places)
    return _table(place, _events(place, _name(Path(place.name))))


def _events(file: Path, name: str) -> list[Event]:
    """The events of a file, at least one; the file gives the name of their recording if the events do not."""
    read = reader_of(file)
    events = [] if read is None else read(file)
    return [event._replace(file=event.file or name) for event in events or [Event("", 0.0, 0.0)]]


def _table(place: Path, events: Sequence[Event], places: Sequence[tuple[Path, int]] = ()) -> EventTable:
    clips = {event.file: event.line for event in reversed(events)}
    clips = {name: clips[name] for name in dict.fromkeys(event.file for event in events)}
    real = [event for event in events if event.label]
    sure = [event.confidence for event in real if event.confidence is not None]
    line = np.array([event.line for event in real], np.int64)
    if places or not bool((np.diff(line) > 0).all()):  # or of a format without lines: a number for each event
        line = np.arange(1, len(real) + 1)
    return EventTable(
        place,
        clips,
        [event.file for event in real],
        [event.label for event in real],
        np.array([event.onset for event in real], np.float64),
        np.array([event.offset for event in real], np.float64),
        line,
        confidence=np.array(sure, np.float64) if real and len(sure) == len(real) else None,
        places=places,
    )


def _files(folder: Path) -> list[Path]:
    return sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in PER_RECORDING and p.name[0] != "." and p.is_file()
    )


def _name(path: Path) -> str:
    """The recording that a file belongs to: `a/b.selections.txt` -> `a/b`."""
    return path.with_suffix("").as_posix().removesuffix(".selections")


def matched(table: EventTable, clip_ids: Sequence[str], labels: Iterable[str], notes: Notes) -> EventTable:
    """The table with the clip names of a reference, if they are equal without folders and suffixes.

    RTTM writes `_` for blanks in names, so `_` and blanks count as equal, also in classes of RTTM.

    Args:
        table: the table of a system.
        clip_ids: the clips of the reference.
        labels: the classes of the reference.
        notes: gets the number of names that were matched.
    """
    exact = set(clip_ids)
    other = [name for name in table.clips if name not in exact]
    mine, theirs = _once(other), _once(clip_ids)
    names = {mine[key]: theirs[key] for key in mine.keys() & theirs.keys() if theirs[key] not in table.clips}
    first = next((name for name in other if name in names), "")
    example = f"{first!r} is {names[first]!r}" if names else ""
    notes.add(f"clip names that match without folders and suffixes (of {len(table.clips)})", len(names), example)
    classes = {"_".join(label.split()): label for label in labels} if table.path.suffix.lower() == ".rttm" else {}
    return replace(
        table,
        clips={names.get(name, name): line for name, line in table.clips.items()},
        clip=[names.get(name, name) for name in table.clip],
        label=[classes.get(label, label) for label in table.label],
    )


def _once(names: Iterable[str]) -> Mapping[str, str]:
    """The names by their stems without folders and suffixes; stems of several names are left out."""
    by_stem: dict[str, list[str]] = {}
    for name in names:
        path = PurePosixPath(name.replace("\\", "/"))
        bare = path.stem if path.suffix.lower() in SUFFIXES else path.name
        by_stem.setdefault("_".join(bare.split()), []).append(name)
    return {bare: each[0] for bare, each in by_stem.items() if len(each) == 1}
