"""The folder `corpus/` of a pack, which stands for the folder that was packed: labels are copied, sounds are packed."""

import json
import os
import shutil
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsed.data.packed.index import AGAIN, INDEX, Facts, Index, checksum, open_shard, shard_path
from wsed.errors import WsedError
from wsed.files import write_text, write_whole
from wsed.text import read_json_object

CORPUS, CONTENTS = "corpus", "contents.json"

MARK = ".packed"
"""File in `corpus/` that names the copied files; the folder is of a pack if it is there."""

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


def copy_labels(source: Path, pack: Path, sounds: tuple[str, ...] = ()) -> dict[str, int]:
    """Copy the folders and text files of a folder into `corpus/`, and remove copies whose files are gone.

    Args:
        source: folder that is packed.
        pack: folder of the pack, which does not lie in `source`.
        sounds: suffixes of sound files, which are not copied.

    Returns:
        the CRC-32 of each text file, by its path below the folder.

    Raises:
        WsedError: a file cannot be copied, or there is a folder `corpus` that is not of a pack.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     source, pack = Path(place, "source"), Path(place, "pack")
    ...     source.mkdir()
    ...     _ = (source / "tags.csv").write_text("file,tag")
    ...     copy_labels(source, pack), (pack / "corpus/tags.csv").read_text()
    ({'tags.csv': 1430271592}, 'file,tag')
    """
    target, mark = pack / CORPUS, pack / CORPUS / MARK
    if os.path.lexists(target) and not mark.is_file():
        raise WsedError(f"{target} exists, but not as part of a pack; give another folder")
    folders = {where.relative_to(source): names for where, names in _folders(source, pack, sounds)}
    wanted = {(inside / name).as_posix(): source / inside / name for inside, names in folders.items() for name in names}
    earlier: list[str] = json.loads(mark.read_text()) if mark.is_file() else []
    for name in earlier:
        if name not in wanted:
            (target / name).unlink(missing_ok=True)
    target.mkdir(parents=True, exist_ok=True)
    write_text(mark, json.dumps([*dict.fromkeys([*earlier, *wanted])]))  # before the copies, as it may be stopped
    for name, file in wanted.items():
        try:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            with write_whole(target / name) as part:
                shutil.copyfile(file, part)
        except OSError as error:
            raise WsedError(f"cannot copy {file} into {target}: {error.strerror}") from None
    for inside in folders:
        (target / inside).mkdir(parents=True, exist_ok=True)
    write_text(mark, json.dumps([*wanted]))
    return {name: _crc(target / name) or 0 for name in wanted}


def _folders(source: Path, pack: Path, sounds: tuple[str, ...]) -> Iterator[tuple[Path, list[str]]]:
    """A folder and all below it, with the names of their text files; hidden ones are left out, links are followed."""
    home, own = source.resolve(), pack.resolve()
    for place, folders, files in os.walk(source, followlinks=True):
        where = Path(place)
        real = where.resolve()
        above = {folder.resolve() for folder in where.parents if folder.is_relative_to(source)}
        around = where != source and home.is_relative_to(real)  # a link to a folder around the one that is packed
        if real in above or around or real.is_relative_to(own):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        others = [name for name in sorted(files) if not name.startswith(".") and not name.lower().endswith(sounds)]
        yield where, [name for name in others if _is_text(where / name)]


def _is_text(path: Path) -> bool:
    """Whether a file has no zero byte at its beginning, or begins like text in UTF-16."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(HEAD)
    return b"\0" not in head or head.startswith((BOM_UTF16_LE, BOM_UTF16_BE))


def pack_of(path: str | Path) -> tuple[Path, str] | None:
    """The pack in whose `corpus/` a path lies, and the path below that folder; None if it lies in none."""
    if "\0" in str(path):  # no name of a file, and `realpath` fails
        return None
    for place in (Path(os.path.abspath(path)), Path(os.path.realpath(path))):  # noqa: PTH100 - or a link leads there
        for above in (place, *place.parents):
            if above.name == CORPUS and (above.parent / CONTENTS).is_file() and (above.parent / INDEX).is_file():
                return above.parent, place.relative_to(above).as_posix()
    return None


def refuse_pack(folder: Path) -> None:
    """Raise `WsedError` if a folder that should be a corpus is a pack: the corpus is its folder `corpus/`."""
    if (folder / CORPUS / MARK).is_file():
        raise WsedError(f"{folder} is a pack; give the folder of its labels and sounds: {folder / CORPUS}")


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
    found = _find(path)
    return found is not None and found.shard.is_file()


def packed_state(path: str | Path) -> tuple[int, int] | None:
    """Bytes of the samples of a packed sound file, and when it was packed, in ns; None if it is not packed."""
    found = _find(path)
    return None if found is None else (2 * found.n_samples, found.packed_at)


def packed_print(path: str | Path) -> str | None:
    """The number of samples of a packed sound file and their checksum; None if it is not packed."""
    found = _find(path)
    return None if found is None else found.rows.print_of(found.row)


def packed_sound(path: str | Path) -> tuple[NDArray[np.int16], int] | None:
    """The samples of a packed sound file, and their rate, Hz; None if the path is not of a pack.

    Raises:
        WsedError: the samples are damaged or missing.
    """
    found = _find(path)
    if found is None:
        return None
    if not found.shard.is_file():
        raise WsedError(f"{found.shard} is missing, which has the samples of {path}")
    samples = open_shard(found.shard)
    if checksum(samples, found.rows, found.row) != found.rows.checksum[found.row]:
        raise WsedError(f"{found.shard} is damaged, or of another pack: remove it and run `wsed data pack` again")
    first = int(found.rows.first[found.row])
    return samples[first : first + found.n_samples], found.sample_rate


class _Row(NamedTuple):
    """Where the samples of a packed sound file are."""

    shard: Path
    rows: Index
    row: int
    sample_rate: int
    packed_at: int

    @property
    def n_samples(self) -> int:
        return int(self.rows.n_samples[self.row])


def _find(path: str | Path) -> _Row | None:
    found = pack_of(path)
    if found is None:
        return None
    pack, name = found
    packed_at = (pack / INDEX).stat().st_mtime_ns
    rate, index = _index(pack, packed_at)
    row = int(index.find([name])[0])
    return None if row < 0 else _Row(shard_path(pack, int(index.shard[row])), index, row, rate, packed_at)


@lru_cache(maxsize=2)
def _index(pack: Path, _changed: int) -> tuple[int, Index]:
    return Facts.read(pack).sample_rate, Index.read(pack / INDEX)


def _crc(path: Path) -> int | None:
    return zlib.crc32(path.read_bytes()) if path.is_file() else None
