"""What a pack has besides samples, so that it can stand for the folder that was packed: labels, names of sounds."""

import json
import os
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

from wsed.data.packed.index import AGAIN, FACTS, INDEX
from wsed.errors import WsedError
from wsed.files import write_text, write_whole
from wsed.formats.reading import SUFFIXES
from wsed.text import read_json_object

CONTENTS = "contents.json"
PLAN = "plan.txt"
OWN = {FACTS, INDEX, CONTENTS, PLAN}
TABLES = (*SUFFIXES, ".json", ".jsonl")
"""Suffixes of the files that may hold labels."""


@dataclass(frozen=True)
class Contents:
    """The files of the folder that was packed, by their path below it.

    Attributes:
        sounds: the sound files whose samples are packed, sorted.
        labels: the label files that were copied into the folder of the pack, with their CRC-32.
    """

    sounds: list[str]
    labels: dict[str, int]

    def write(self, folder: Path) -> None:
        """Write the names into the folder of a pack."""
        write_text(folder / CONTENTS, json.dumps({"sounds": self.sounds, "labels": self.labels}) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Contents":
        """What `write` wrote; nothing for a pack of an earlier version, which has no such file.

        Raises:
            WsedError: the file is damaged.
        """
        path = folder / CONTENTS
        if not path.is_file():
            return cls([], {})
        return _read(path, path.stat().st_mtime_ns)

    def damaged(self, folder: Path) -> list[str]:
        """The label files that are missing or have changed."""
        return [name for name, crc in self.labels.items() if _crc(folder / name) != crc]


@lru_cache(maxsize=4)  # each table of a corpus looks for its clips
def _read(path: Path, _changed: int) -> Contents:
    values = read_json_object(path, AGAIN)
    try:
        return Contents(cast(list[str], values["sounds"]), cast(dict[str, int], values["labels"]))
    except KeyError:
        raise WsedError(f"{path} is damaged; {AGAIN}") from None


def write_contents(source: Path, sounds: list[str], out: Path) -> None:
    """Copy the label files of a folder into the folder of its pack, and write the names of its files.

    Args:
        source: folder that was packed.
        sounds: paths of the packed sound files below it.
        out: folder of the pack. If it lies in `source`, nothing is copied: the tables there would be found twice.
    """
    inside = out.resolve().is_relative_to(source.resolve())
    labels = [] if inside else sorted(label_files(source))
    for name in set(Contents.read(out).labels).difference(labels):
        (out / name).unlink(missing_ok=True)
    for name in labels:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        with write_whole(out / name) as part:
            shutil.copyfile(source / name, part)
    Contents(sounds, {name: _crc(out / name) or 0 for name in labels}).write(out)


def label_files(source: Path) -> Iterator[str]:
    """The paths of the files below a folder that may hold labels; files of other packs are left out."""
    seen = set[Path]()
    for where, folders, files in os.walk(source, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        is_pack = FACTS in files and Path(where) != source
        if is_pack or (real := Path(where).resolve()) in seen:  # a link may lead to a folder above
            folders.clear()
            continue
        seen.add(real)
        inside = Path(where).relative_to(source)
        names = [name for name in files if name.lower().endswith(TABLES) and not name.startswith(".")]
        yield from ((inside / name).as_posix() for name in names if inside.parts or name not in OWN)


def packed_below(folder: str) -> dict[str, list[str]]:
    """The names of the packed sound files in a folder and below it, by folder; none if the folder is not in a pack."""
    place = Path(os.path.abspath(folder))  # noqa: PTH100 - links stay as they are
    root = next((above for above in (place, *place.parents) if (above / FACTS).is_file()), None)
    if root is None:
        return {}
    inside = "" if place == root else f"{place.relative_to(root).as_posix()}/"
    found: dict[str, list[str]] = {}
    for path in Contents.read(root).sounds:
        if path.startswith(inside):
            above, _, name = path.removeprefix(inside).rpartition("/")
            found.setdefault(os.path.join(folder, above) if above else folder, []).append(name)  # noqa: PTH118
    return found


def _crc(path: Path) -> int | None:
    return zlib.crc32(path.read_bytes()) if path.is_file() else None
