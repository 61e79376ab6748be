"""The results of a detection in many recordings, kept as they come, so that it can be continued and shared."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from wsed.data.sound_files import state
from wsed.errors import WsedError
from wsed.files import write_text
from wsed.formats.event import Event
from wsed.formats.recording import Recording
from wsed.inference.sources import Sound

LOG = ".wsed-detect.jsonl"
"""The file in the folder: its first line has the settings, and each further line a recording."""

LOGS = ".wsed-detect*.jsonl"
"""These files of all processes; the one above is that of the first."""

SHOWN = 5
"""Number of values that a message names, of one that differs per class."""


class Results:
    """The recordings of one detection in a folder.

    Args:
        folder: the folder; it is made if it is missing.
        settings: the settings on which the events depend, as plain values.
        rank: rank of this process; each keeps its recordings in a file of its own.

    Raises:
        WsedError: the folder holds other files, or a detection with other settings.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object], rank: int = 0) -> None:
        self.folder, self._log = folder, folder / (f".wsed-detect.{rank}.jsonl" if rank else LOG)
        self._settings: dict[str, object] = json.loads(_line(settings))
        if folder.exists() and not folder.is_dir():
            raise WsedError(f"--out {folder} is a file; name a folder")
        others = folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())
        if others and not any(folder.glob(LOGS)):
            raise WsedError(f"--out {folder} exists and holds other files; name a new folder")
        mine = [line for line in self._lines(self._log) if "error" not in line] if self._log.is_file() else []
        self._kept = self._of_all()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_text(self._log, "".join(map(_line, (self._settings, *mine))))
        except OSError as error:
            raise WsedError(f"cannot write --out {folder}: {error.strerror}") from None

    def _of_all(self) -> dict[str, dict[str, object]]:
        """What all processes have kept, by name; of two entries of a name, that of the file as it is now."""
        kept: dict[str, dict[str, object]] = {}
        for log in sorted(self.folder.glob(LOGS)):
            for line in self._lines(log):
                if str(line["name"]) not in kept or _is_current(line):
                    kept[str(line["name"])] = line
        return kept

    def _lines(self, log: Path) -> list[dict[str, object]]:
        """The recordings of a file, whose settings must be those of this detection."""
        lines = map(_read, log.read_text(encoding="utf-8").splitlines())
        first, *rest = [line for line in lines if line] or [{}]
        # An earlier version did not write all settings. Without the model of these, the line is not one of settings.
        cut = "model" in self._settings and "model" not in first
        compared = {"model"} if cut else self._settings.keys() & first.keys()
        faults = [
            f"another {name} ({_in_short(_differences('', first.get(name), value))})"
            for name, value in self._settings.items()
            if name in compared and _set(first.get(name)) != _set(value)
        ]
        if faults:
            raise WsedError(
                f"--out {self.folder} holds events that were detected with {' and '.join(faults)}; "
                "name another folder, or delete it"
            )
        return rest

    def of(self, sound: Sound) -> Recording | None:
        """The events of a recording; None if it was not processed yet, or its file has changed since."""
        kept = self._kept.get(sound.name)
        if kept is None or "error" in kept or kept["file"] != _state(sound.path):
            return None
        events = kept["events"]
        assert isinstance(events, list)
        duration, rate = float(str(kept["duration"])), int(str(kept["sample_rate"]))
        return Recording(sound.name, str(sound.path), duration, rate, tuple(Event(*event) for event in events))

    def keep(self, sound: Sound, recording: Recording) -> None:
        """Keep the events of a recording; they are not lost if the process is killed."""
        events = [[e.label, e.onset, e.offset, e.confidence] for e in recording.events]
        self._keep(sound, {"duration": recording.duration, "sample_rate": recording.sample_rate, "events": events})

    def skip(self, sound: Sound, error: WsedError) -> None:
        """Note that a recording cannot be read; the next detection tries again."""
        self._keep(sound, {"error": str(error)})

    def of_all(self, sounds: Sequence[Sound]) -> list[Recording] | None:
        """The recordings of all processes, without those that cannot be read; None if some are not processed yet."""
        self._kept = self._of_all()
        found = {sound: self.of(sound) for sound in sounds}
        if any(each is None and "error" not in self._kept.get(sound.name, {}) for sound, each in found.items()):
            return None
        return [each for each in found.values() if each is not None]

    def _keep(self, sound: Sound, values: Mapping[str, object]) -> None:
        self._kept[sound.name] = {"name": sound.name, "file": _state(sound.path), **values}
        with self._log.open("a", encoding="utf-8") as log:
            log.write(_line(self._kept[sound.name]))


def _line(value: Mapping[str, object]) -> str:
    return json.dumps(value) + "\n"  # ASCII: a name may hold letters that end a line, or bytes that are not UTF-8


def _read(line: str) -> dict[str, object]:
    """The values of a line; empty if the line is incomplete, since the process was killed."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _state(path: Path) -> list[object]:
    try:
        return [str(path), *state(path)]
    except OSError:  # it was removed
        return [str(path)]


def _is_current(line: Mapping[str, object]) -> bool:
    """Whether the file of a recording is still the one that was processed."""
    state = line["file"]
    return isinstance(state, list) and state == _state(Path(str(state[0])))


def _differences(name: str, before: object, now: object) -> list[str]:
    """Each setting whose value differs, with both values: `threshold 0.5, now 0.9`."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = [each for each in {**before, **now} if before.get(each) != now.get(each)]
        return [text for each in names for text in _differences(f"{name}{each}", before.get(each), now.get(each))]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now) > 1:  # a value per class
        pairs = enumerate(zip(before, now, strict=True))
        return [text for i, (old, new) in pairs if old != new for text in _differences(f"{name}[{i}]", old, new)]
    return [f"{name} {_short(before)}, now {_short(now)}".lstrip()]


def _set(value: object) -> object:
    """Settings without those that are None: an earlier version may lack them."""
    return {name: each for name, each in value.items() if each is not None} if isinstance(value, dict) else value


def _in_short(differences: list[str]) -> str:
    more = [f"{len(differences) - SHOWN} more"] if len(differences) > SHOWN else []
    return "; ".join([*differences[:SHOWN], *more])


def _short(value: object) -> str:
    text = "not set" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
