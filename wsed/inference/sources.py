"""The recordings that the user names: files, folders and globs."""

import os
from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import NamedTuple

from wsed.data.audio import SUFFIXES
from wsed.data.packed.contents import refuse_pack
from wsed.data.sound_files import is_file, is_folder, size, sound_files
from wsed.errors import WsedError


class Sound(NamedTuple):
    """A recording: its file, and a name that distinguishes it from the others."""

    name: str
    path: Path


def find(places: Sequence[str]) -> list[Sound]:
    """The sound files of some places, each once, in the order of the places; names are relative to their common folder.

    Args:
        places: files of any suffix, folders that are searched at any depth, and globs.

    Raises:
        WsedError: a place does not exist, or has no sound files.
    """
    paths: dict[Path, None] = {}
    for place in places:
        paths |= dict.fromkeys(Path(os.path.abspath(path)) for path in _files(place))  # noqa: PTH100 - links stay
    common = Path(os.path.commonpath([path.parent for path in paths]))
    return [Sound(path.relative_to(common).as_posix(), path) for path in paths]


def share(sounds: Sequence[Sound], rank: int, ranks: int) -> list[Sound]:
    """The recordings of one of several processes: the files are dealt out by size, the largest first.

    Args:
        sounds: all recordings.
        rank: rank of the process.
        ranks: number of processes.
    """
    dealt = sorted(sounds, key=lambda sound: -size(sound.path))[rank::ranks] if ranks > 1 else sounds
    mine = set(dealt)
    return [sound for sound in sounds if sound in mine]


def _files(place: str) -> list[Path]:
    path = Path(place)
    if is_file(path):
        return [path]
    if is_folder(path):
        files = sound_files(path)
        if not files:
            refuse_pack(path)
            raise WsedError(f"{place} holds no sound file, at any depth: none ends in {', '.join(SUFFIXES)}")
        return files
    if has_magic(place):
        matches = sorted(map(Path, glob(place, recursive=True)))  # noqa: PTH207 - as typed, absolute too
        files = [file for match in matches for file in ([match] if is_file(match) else sound_files(match))]
        if not files:
            raise WsedError(f"no sound file matches {place}")
        return files
    raise WsedError(f"no such file or folder: {place}")
