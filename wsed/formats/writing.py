"""The formats in which events can be written, and the files of each format."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from wsed.errors import WsedError, near
from wsed.formats import audacity, json, label_studio, raven, rttm, tables, textgrid
from wsed.formats.recording import Recording

Write = Callable[[Path, Sequence[Recording]], None]


class Format(NamedTuple):
    """A format in which events are written.

    Args:
        help: description for users.
        write: function that writes a file.
        together: name of the file with all recordings; None: there is no such file.
        suffix: suffix of the files with one recording each, in a folder named after the format; None: there are none.
    """

    help: str
    write: Write
    together: str | None = None
    suffix: str | None = None


FORMATS = {
    "tsv": Format("table of all events, tabs", tables.write_tsv, "events.tsv"),
    "csv": Format("table of all events, commas", tables.write_csv, "events.csv"),
    "json": Format("recordings with their events", json.write, "events.json"),
    "audacity": Format("label track per recording", audacity.write, suffix=".txt"),
    "raven": Format(
        "selection table per recording, and one for all", raven.write, "raven.selections.txt", ".selections.txt"
    ),
    "rttm": Format("RTTM of all recordings", rttm.write, "events.rttm"),
    "textgrid": Format("TextGrid of Praat per recording", textgrid.write, suffix=".TextGrid"),
    "label-studio": Format("tasks with predictions", label_studio.write, "label_studio.json"),
}


def format_named(name: str) -> Format:
    """The format of a name.

    Raises:
        WsedError: the name is unknown; the message has similar names.
    """
    if name not in FORMATS:
        raise WsedError(f"unknown format {name!r}{near(name, FORMATS)}; known: {', '.join(FORMATS)}")
    return FORMATS[name]


def write_events(folder: Path, name: str, recordings: Sequence[Recording]) -> list[Path]:
    """Write the events of recordings in one format; returns the file for all, or the folder of the files.

    Args:
        folder: folder of all formats.
        name: name of the format.
        recordings: the recordings, in the order in which programs open them.
    """
    made, written = format_named(name), []
    if made.together is not None:
        made.write(folder / made.together, recordings)
        written.append(folder / made.together)
    if made.suffix is not None:
        for recording, file in zip(recordings, names_of(recordings), strict=True):
            path = folder / name / f"{file}{made.suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            made.write(path, [recording])
        written.append(folder / name)
    return written


def names_of(recordings: Sequence[Recording]) -> list[str]:
    """Names of the files of each recording: without the suffix of the sound file, unless two names would be equal.

    >>> names_of([Recording(name, name, 1.0, 8000, ()) for name in ("a.wav", "a.flac", "b.wav")])
    ['a.wav', 'a.flac', 'b']
    """
    stems = [recording.stem for recording in recordings]
    often = {stem for stem in stems if stems.count(stem) > 1} if len(set(stems)) < len(stems) else set()
    return [recording.name if recording.stem in often else recording.stem for recording in recordings]
