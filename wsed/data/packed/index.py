"""The index of packed audio: where the samples of each file are."""

import json
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsed.errors import WsedError
from wsed.files import write_text, write_whole
from wsed.text import read_json_object

FACTS, INDEX, VERSION = "pack.json", "index.npz", 1
AGAIN = "run `wsed data pack` again with --overwrite"
FULL = 32768
"""The value of a sample of full scale."""

COLUMNS = ("key", "shard", "first", "n_samples", "checksum")


@dataclass(frozen=True)
class Facts:
    """Facts about a pack.

    Attributes:
        sample_rate: sample rate of the samples, Hz.
        source: the folder that was packed; clips are found by their path below it.
        plan: a hash of the names and sizes of the files, the sample rate and the size of a shard.
        n_files: number of files that are packed.
        version: version of the format.
        prints: the fingerprints of some of the files, by name; a pack of an earlier version has none.
    """

    sample_rate: int
    source: str
    plan: str
    n_files: int
    version: int = VERSION
    prints: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write the facts into the folder of a pack."""
        write_text(folder / FACTS, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Facts":
        """The facts of a pack.

        Raises:
            WsedError: the folder holds no pack, or one of a later version.
        """
        path = folder / FACTS
        if not path.is_file():
            raise WsedError(f"{folder} holds no packed audio; make it: wsed data pack SOUNDS {folder} --sample-rate HZ")
        values = read_json_object(path, AGAIN)
        if values.get("version") != VERSION:
            raise WsedError(f"{path} is of another version of wsed; {AGAIN}")
        try:
            return cls(**values)  # type: ignore[arg-type]
        except TypeError:
            raise WsedError(f"{path} is damaged; {AGAIN}") from None


@dataclass(frozen=True)
class Index:
    """One row per file, sorted by key; 32 bytes each.

    Attributes:
        key: `key_of` the name of the file.
        shard: number of the shard.
        first: index of the first sample in the shard.
        n_samples: number of samples.
        checksum: CRC-32 of the bytes of the samples.

    >>> index = Index.of([("b.wav", 0, 0, 10, 7), ("a.wav", 0, 10, 20, 8)])
    >>> index.n_samples[index.find(["a.wav", "b.wav"])].tolist(), index.find(["c.wav"]).tolist()
    ([20, 10], [-1])
    """

    key: NDArray[np.uint64]
    shard: NDArray[np.int32]
    first: NDArray[np.int64]
    n_samples: NDArray[np.int64]
    checksum: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.key)

    @classmethod
    def of(cls, rows: list[tuple[str, int, int, int, int]]) -> "Index":
        """From the name, shard, first sample, number of samples and checksum of each file."""
        key = np.fromiter((key_of(row[0]) for row in rows), np.uint64, len(rows))
        kinds = (np.int32, np.int64, np.int64, np.uint32)
        columns = [np.array([row[i] for row in rows], kind) for i, kind in enumerate(kinds, start=1)]
        return cls._sorted(key, *columns)

    @classmethod
    def join(cls, parts: list["Index"]) -> "Index":
        """The rows of several indices."""
        return cls._sorted(*(np.concatenate([vars(part)[name] for part in parts]) for name in COLUMNS))

    @classmethod
    def _sorted(cls, *columns: NDArray[np.generic]) -> "Index":
        order = np.argsort(columns[0], kind="stable")
        index = cls(*(column[order] for column in columns))  # type: ignore[arg-type]
        if len(index) and not np.diff(index.key).all():
            raise WsedError("the names of two files of the pack have the same hash; rename one of the files")
        return index

    def find(self, names: Iterable[str]) -> NDArray[np.int64]:
        """The row of each name; -1 for a name that is not in the pack."""
        wanted = np.fromiter(map(key_of, names), np.uint64)
        if not len(self):
            return np.full(len(wanted), -1)
        row = np.searchsorted(self.key, wanted).clip(max=len(self) - 1)
        return np.where(self.key[row] == wanted, row, -1)

    def print_of(self, row: int) -> str:
        """The number of samples of a file and their checksum, as text."""
        return f"{self.n_samples[row]} samples, checksum {self.checksum[row]:08x}"

    def write(self, path: Path) -> None:
        """Write the rows as `.npz`."""
        with write_whole(path) as part, part.open("wb") as file:
            np.savez(file, **{name: vars(self)[name] for name in COLUMNS})

    @classmethod
    def read(cls, path: Path) -> "Index":
        """Read what `write` wrote.

        Raises:
            WsedError: the file is missing or damaged.
        """
        try:
            with np.load(path) as arrays:
                return cls(*(arrays[name] for name in COLUMNS))
        except (OSError, ValueError, KeyError) as error:
            raise WsedError(f"cannot read {path} ({error}); run `wsed data pack` again") from None


def key_of(name: str) -> int:
    """A 64-bit hash of a name; the hashes of 2 million names all differ with a probability of 0.9999999.

    >>> key_of("a/b.wav") == key_of("a/b.wav"), key_of("a/b.wav") == key_of("a/c.wav")
    (True, False)
    """
    return int.from_bytes(blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "little")


def shard_path(folder: Path, number: int) -> Path:
    """The path of a shard, which has the samples of its files one after the other: int16, little endian.

    >>> shard_path(Path("pack"), 3).name
    'shard_00003.i16'
    """
    return folder / f"shard_{number:05d}.i16"


def open_shard(path: Path) -> NDArray[np.int16]:
    """The samples of a shard, mapped into memory; no samples for a missing or an empty file."""
    if not path.is_file() or not path.stat().st_size:
        return np.zeros(0, np.int16)
    return np.memmap(path, np.dtype("<i2"), mode="r")


def checksum(samples: NDArray[np.int16], index: Index, row: int) -> int:
    """CRC-32 of the samples of one file of a shard."""
    first = int(index.first[row])
    return zlib.crc32(samples[first : first + int(index.n_samples[row])].data)
