"""Sound files in folders, and which of them is which clip's."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from wsed.data import audio as sound
from wsed.errors import WsedError


def sound_files(folder: str | Path) -> list[Path]:
    """All sound files in a folder and below it, sorted; one listing per folder.

    Hidden files are left out, and `*_events/`, where Scaper keeps the single events of a soundscape.
    """
    found = []
    for where, below, files in os.walk(folder, followlinks=True):
        below[:] = sorted(d for d in below if not d.endswith("_events") and not d.startswith("."))
        found += [Path(where, f) for f in sorted(files) if f.lower().endswith(sound.SUFFIXES) and not f.startswith(".")]
    return found


def locate(folder: str | Path, names: Iterable[str]) -> dict[str, Path]:
    """The sound file of each clip name: same name, or same stem with another suffix; the least nested one.

    Args:
        folder: where the clips are; subfolders are searched too.
        names: as in the label table.

    Raises:
        WsedError: a name fits files in two folders of the same depth.
    """
    folder = Path(folder)
    by_stem: dict[str, list[Path]] = {}
    for file in sound_files(folder):
        by_stem.setdefault(file.stem, []).append(file)
    return {name: _choose(folder, name, by_stem.get(stem(name), [])) for name in names}


def stem(name: str) -> str:
    """`a/Y1_0.000_10.000.wav` -> `Y1_0.000_10.000`; only the suffix of a sound file is taken away."""
    last = name.rpartition("/")[2]
    head, dot, suffix = last.rpartition(".")
    return head if dot + suffix.lower() in sound.SUFFIXES else last


def _choose(folder: Path, name: str, candidates: Sequence[Path]) -> Path:
    above = Path(name).parent.parts
    candidates = [c for c in candidates if not above or c.parent.parts[-len(above) :] == above]
    if not candidates:
        return folder / name
    depth = min(len(c.parts) for c in candidates)
    nearest = [c for c in candidates if len(c.parts) == depth]
    if len({c.parent for c in nearest}) > 1:
        raise WsedError(f"{name} is in {' and in '.join(str(c.parent) for c in nearest)}; move the wrong one away")
    last = Path(name).name
    return min(nearest, key=lambda c: (c.name != last, sound.SUFFIXES.index(c.suffix.lower())))


def header(path: Path) -> float | str:
    """Seconds of a sound file, or why it cannot be read."""
    try:
        return sound.info(path).duration or f"{path} holds no samples"
    except WsedError as error:
        return str(error)
