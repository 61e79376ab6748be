"""The results of a detection in many recordings, kept as they come, so that it can be continued."""

import json
from collections.abc import Mapping
from pathlib import Path

from wsed.errors import WsedError
from wsed.files import write_text
from wsed.formats.event import Event
from wsed.formats.recording import Recording
from wsed.inference.sources import Sound

LOG = ".wsed-detect.jsonl"
"""The file in the folder: its first line has the settings, and each further line a recording."""


class Results:
    """The recordings of one detection in a folder.

    Args:
        folder: the folder; it is made if it is missing.
        settings: the settings on which the events depend, as plain values.

    Raises:
        WsedError: the folder holds other files, or a detection with other settings.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        self.folder, self._log = folder, folder / LOG
        self._kept: dict[str, dict[str, object]] = {}
        if folder.exists() and not folder.is_dir():
            raise WsedError(f"--out {folder} is a file; name a folder")
        if self._log.is_file():
            self._resume(settings)
        elif folder.is_dir() and any(folder.iterdir()):
            raise WsedError(f"--out {folder} exists and holds other files; name a new folder")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_text(self._log, "".join(_line(value) for value in (dict(settings), *self._kept.values())))
        except OSError as error:
            raise WsedError(f"cannot write --out {folder}: {error.strerror}") from None

    def _resume(self, settings: Mapping[str, object]) -> None:
        lines = map(_read, self._log.read_text(encoding="utf-8").splitlines())
        first, *rest = [line for line in lines if line] or [{}]
        for name, value in json.loads(_line(settings)).items():
            if first.get(name) != value:
                raise WsedError(
                    f"--out {self.folder} holds events that were detected with another {name} "
                    f"({_short(first.get(name))}, now {_short(value)}); name another folder, or delete it"
                )
        self._kept = {str(kept["name"]): kept for kept in rest}

    def of(self, sound: Sound) -> Recording | None:
        """The events of a recording; None if it was not processed yet, or its file has changed since."""
        kept = self._kept.get(sound.name)
        if kept is None or kept["file"] != _state(sound.path):
            return None
        events = kept["events"]
        assert isinstance(events, list)
        duration, rate = float(str(kept["duration"])), int(str(kept["sample_rate"]))
        return Recording(sound.name, str(sound.path), duration, rate, tuple(Event(*event) for event in events))

    def keep(self, sound: Sound, recording: Recording) -> None:
        """Keep the events of a recording; they are not lost if the process is killed."""
        events = [[e.label, e.onset, e.offset, e.confidence] for e in recording.events]
        kept = {"name": sound.name, "file": _state(sound.path), "duration": recording.duration}
        kept |= {"sample_rate": recording.sample_rate, "events": events}
        self._kept[sound.name] = kept
        with self._log.open("a", encoding="utf-8") as log:
            log.write(_line(kept))


def _line(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _read(line: str) -> dict[str, object]:
    """The values of a line; empty if the line is incomplete, since the process was killed."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _state(path: Path) -> list[object]:
    state = path.stat()
    return [str(path), state.st_size, state.st_mtime_ns]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
