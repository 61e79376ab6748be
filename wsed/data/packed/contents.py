"""The folder `corpus/` of a pack, which stands for the folder that was packed: labels are copied, sounds are packed."""

import json
import os
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsed.data.packed.index import AGAIN, INDEX, Facts, Index, checksum, open_shard, shard_path
from wsed.errors import WsedError
from wsed.files import write_text, write_whole
from wsed.text import read_json_object

CORPUS, CONTENTS = "corpus", "contents.json"

HEAD = 4096
"""Bytes of a file that tell whether it is text."""


@dataclass(frozen=True)
class Contents:
    """The files of the folder that was packed, by their path below it.

    Attributes:
        sounds: the sound files, in the order in which `walk` finds them.
        labels: the text files that were copied, with their CRC-32.
    """

    sounds: list[str]
    labels: dict[str, int]

    def write(self, pack: Path) -> None:
        """Write the names into the folder of a pack."""
        write_text(pack / CONTENTS, json.dumps({"sounds": self.sounds, "labels": self.labels}) + "\n")

    @classmethod
    def read(cls, pack: Path) -> "Contents":
        """What `write` wrote; nothing for a pack of an earlier version, which has no such file.

        Raises:
            WsedError: the file is damaged.
        """
        path = pack / CONTENTS
        if not path.is_file():
            return cls([], {})
        match read_json_object(path, AGAIN):
            case {"sounds": list(sounds), "labels": dict(labels)} if all(isinstance(name, str) for name in sounds):
                return cls(sounds, labels)
        raise WsedError(f"{path} is damaged; {AGAIN}")

    def changed(self, pack: Path) -> list[str]:
        """The label files that are missing or differ from what was copied."""
        return [name for name, crc in self.labels.items() if _crc(pack / CORPUS / name) != crc]


def copy_labels(source: Path, pack: Path) -> dict[str, int]:
    """Copy the folders and text files of a folder into `corpus/`, and remove what is there but no longer in the folder.

    Args:
        source: folder that is packed.
        pack: folder of the pack, which does not lie in `source`.

    Returns:
        the CRC-32 of each text file, by its path below the folder.

    Raises:
        WsedError: a file cannot be copied.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     source, pack = Path(place, "source"), Path(place, "pack")
    ...     source.mkdir()
    ...     _ = (source / "tags.csv").write_text("file,tag")
    ...     copy_labels(source, pack), (pack / "corpus/tags.csv").read_text()
    ({'tags.csv': 747160424}, 'file,tag')
    """
    target, labels = pack / CORPUS, dict[str, int]()
    kept = {target}
    for where, names in _folders(source):
        inside = where.relative_to(source)
        kept.update((target / inside, *(target / inside / name for name in names)))
        (target / inside).mkdir(parents=True, exist_ok=True)
        for name in names:
            try:
                with write_whole(target / inside / name) as part:
                    shutil.copyfile(where / name, part)
            except OSError as error:
                raise WsedError(f"cannot copy {where / name} into {target}: {error.strerror}") from None
            labels[(inside / name).as_posix()] = _crc(target / inside / name) or 0
    for path in sorted(target.rglob("*"), reverse=True):
        if path not in kept:
            path.rmdir() if path.is_dir() else path.unlink()
    return labels


def _folders(source: Path) -> Iterator[tuple[Path, list[str]]]:
    """A folder and all below it, with the names of their text files; hidden ones are left out, links are followed."""
    for place, folders, files in os.walk(source, followlinks=True):
        where = Path(place)
        above = {folder.resolve() for folder in where.parents if folder.is_relative_to(source)}
        if where.resolve() in above:  # a link to a folder above
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield where, [name for name in sorted(files) if not name.startswith(".") and _is_text(where / name)]


def _is_text(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return b"\0" not in file.read(HEAD)
    except OSError:
        return False


def pack_of(path: str | Path) -> tuple[Path, str] | None:
    """The pack in whose `corpus/` a path lies, and the path below that folder; None if it lies in none."""
    for place in (Path(os.path.abspath(path)), Path(os.path.realpath(path))):  # noqa: PTH100 - or a link leads there
        for above in (place, *place.parents):
            if above.name == CORPUS and (above.parent / CONTENTS).is_file() and (above.parent / INDEX).is_file():
                return above.parent, place.relative_to(above).as_posix()
    return None


def packed_below(folder: str) -> dict[str, list[str]] | None:
    """The names of the packed sound files in a folder and below it, by folder; None if the folder is not of a pack."""
    found = pack_of(folder)
    if found is None:
        return None
    pack, inside = found
    begin = "" if inside == "." else f"{inside}/"
    names: dict[str, list[str]] = {}
    for path in Contents.read(pack).sounds:
        if path.startswith(begin):
            above, _, name = path.removeprefix(begin).rpartition("/")
            names.setdefault(os.path.join(folder, above) if above else folder, []).append(name)  # noqa: PTH118
    return names


def is_packed(path: str | Path) -> bool:
    """Whether a path is that of a packed sound file."""
    found = pack_of(path)
    return found is not None and _rows(found[0])[1].find([found[1]])[0] >= 0


def packed_sound(path: str | Path) -> tuple[NDArray[np.int16], int] | None:
    """The samples of a packed sound file, and their rate, Hz; None if the path is not of a pack.

    Raises:
        WsedError: the samples are damaged.
    """
    found = pack_of(path)
    if found is None:
        return None
    pack, name = found
    rate, index = _rows(pack)
    row = int(index.find([name])[0])
    if row < 0:
        return None
    file = shard_path(pack, int(index.shard[row]))
    samples = open_shard(file)
    if checksum(samples, index, row) != index.checksum[row]:
        raise WsedError(f"{file} is damaged: remove it and run `wsed data pack` again")
    first = int(index.first[row])
    return samples[first : first + int(index.n_samples[row])], rate


def _rows(pack: Path) -> tuple[int, Index]:
    return _index(pack, (pack / INDEX).stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _index(pack: Path, _changed: int) -> tuple[int, Index]:
    return Facts.read(pack).sample_rate, Index.read(pack / INDEX)


def _crc(path: Path) -> int | None:
    return zlib.crc32(path.read_bytes()) if path.is_file() else None
