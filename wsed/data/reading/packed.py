"""The reader `packed`: it reads clips from packed audio, which `wsed data pack` makes."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.columns import parts_of, path_of, paths_of
from wsed.data.packed.contents import CORPUS
from wsed.data.packed.index import FACTS, FULL, INDEX, Facts, Index, checksum, open_shard, shard_path
from wsed.data.packed.store import Store, is_remote
from wsed.data.reading.base import READERS, Headers, Item, Reader
from wsed.data.sound_files import fingerprint
from wsed.data.trained import Network
from wsed.errors import WsedError

COMPARED = 16
"""Approximate number of sound files that are compared with the pack, if they are present."""


class PackedDataset(Dataset[Item]):
    """The samples of clips in packed audio. The checksum of a file is compared when a process first reads it.

    Args:
        store: the files of the pack.
        rows: the row of the index of each clip.
        first: number of samples of the file before each clip.
        most: the greatest number of samples of each clip.
    """

    def __init__(
        self, store: Store, rows: NDArray[np.int64], first: NDArray[np.int64], most: NDArray[np.int64]
    ) -> None:
        self.store, self.rows, self.first, self.most = store, rows, first, most
        self._index: Index | None = None
        self._shards: dict[int, NDArray[np.int16]] = {}
        self._checked = np.zeros(0, dtype=bool)

    def __reduce__(self) -> "tuple[type[PackedDataset], tuple[object, ...]]":
        return PackedDataset, (self.store, self.rows, self.first, self.most)  # each process maps the shards itself

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Item:
        if self._index is None:
            self._index = Index.read(self.store.fetch(INDEX))
            self._checked = np.zeros(len(self._index), dtype=bool)
        rows, row = self._index, int(self.rows[index])
        shard = int(rows.shard[row])
        if shard not in self._shards:
            self._shards[shard] = open_shard(self.store.fetch(shard_path(Path(), shard).name))
        samples = self._shards[shard]
        if not self._checked[row]:
            if checksum(samples, rows, row) != rows.checksum[row]:
                raise WsedError(
                    f"{shard_path(self.store.local, shard)} is damaged, or of another pack: remove it{self._remedy()}"
                )
            self._checked[row] = True
        start = int(rows.first[row]) + int(self.first[index])
        length = min(int(rows.n_samples[row]) - int(self.first[index]), int(self.most[index]))
        audio = np.multiply(samples[start : start + length], np.float32(1 / FULL), dtype=np.float32)
        return Item(index, len(audio), audio)

    def _remedy(self) -> str:
        if is_remote(self.store.folder):
            return f", so that it is fetched again from {self.store.folder}"
        return " and run `wsed data pack` again (`wsed data pack --verify` finds all such files)"


@READERS.register("packed")
class Packed(Reader):
    """Reads clips from packed audio, whose samples are already decoded and resampled and are only copied.

    The sound files themselves are not needed. If they are present, a few are compared with those that were packed.
    Labels are read from the corpus as usual. Its root may be the folder `corpus` of the pack, which has copies of the
    label files.

    Args:
        folder: folder that `wsed data pack` wrote, or its address on an object store, as `s3://bucket/desed`. Each
            shard is fetched when its first clip is read.
        root: the folder that was packed, if it has moved since.
        cache: folder of the files that are fetched from a store; None: `~/.cache/wsed/packs`.

    >>> Packed("packed/desed").folder
    'packed/desed'
    """

    def __init__(self, folder: str | Path, root: Path | None = None, cache: Path | None = None) -> None:
        self.folder, self.root, self.store = str(folder), root, Store(folder, cache)

    @classmethod
    def example(cls, folder: Path) -> Reader:
        """Reads the pack in the folder."""
        return cls(folder)

    def open(self, table: ClipTable, sample_rate: int, network: Network | None = None) -> Dataset[Item]:
        """The samples of the clips.

        Raises:
            WsedError: there is no pack, it is of other files, it has another sample rate, it lacks a clip, or a clip
                begins after the end of its file.
        """
        facts, index = self._read()
        if facts.sample_rate != sample_rate:
            raise WsedError(
                f"{self.folder} is packed at {facts.sample_rate} Hz, but the network takes {sample_rate} Hz: run "
                f"wsed data pack {facts.source} OTHER_FOLDER --sample-rate {sample_rate}"
            )
        rows = self._rows(table.clips, facts, index)
        missing = np.flatnonzero(rows < 0)
        if len(missing):
            raise WsedError(f"{self._absent(table.clips[missing[0]].path)} (and {len(missing) - 1} more)")
        self._check_sounds(table.clips, rows, facts, index)
        starts, lengths = parts_of(table.clips)
        most = np.minimum(np.minimum(lengths, table.end) * sample_rate, 2.0**62)  # the end is that of the file
        first, most = (np.rint(column).astype(np.int64) for column in (starts * sample_rate, most))
        beyond = np.flatnonzero(np.minimum(index.n_samples[rows] - first, most) <= 0)
        if len(beyond):
            clip = table.clips[int(beyond[0])]
            raise WsedError(
                f"{clip.path} holds no samples after {clip.start or 0.0:g} s (clip {clip.id}, and {len(beyond) - 1} "
                "more; `wsed data check` finds all such clips)"
            )
        return PackedDataset(self.store, rows, first, most)

    def headers(self, clips: Sequence[Clip]) -> Headers:
        """The durations of the files, from the index; clips that are not packed are unreadable."""
        facts, index = self._read()
        rows = self._rows(clips, facts, index)
        seconds = np.where(rows < 0, np.nan, index.n_samples[rows] / facts.sample_rate)
        return Headers(seconds, {int(i): self._absent(path_of(clips, int(i))) for i in np.flatnonzero(rows < 0)})

    def prints(self, clips: Sequence[Clip]) -> list[str | None]:
        """The number of samples of each clip and their checksum, from the index."""
        facts, index = self._read()
        return [None if row < 0 else index.print_of(row) for row in self._rows(clips, facts, index).tolist()]

    def _read(self) -> tuple[Facts, Index]:
        self.store.fetch_facts(FACTS)
        return Facts.read(self.store.local), Index.read(self.store.fetch(INDEX))

    def _rows(self, clips: Sequence[Clip], facts: Facts, index: Index) -> NDArray[np.int64]:
        roots: list[Path] = []
        for root in (self.store.local / CORPUS, self.root or facts.source):
            roots += (Path(os.path.abspath(root)), Path(root).resolve())  # noqa: PTH100 - links may be kept or followed
        rows = index.find(_names(paths_of(clips), roots))
        # a file that is not found may be a link to one that is; all others are found without a look at the disk
        links = [i for i in np.flatnonzero(rows < 0).tolist() if os.path.islink(path_of(clips, i))]  # noqa: PTH114
        rows[links] = index.find(_names((os.path.realpath(path_of(clips, i)) for i in links), roots))
        return rows

    def _check_sounds(self, clips: Sequence[Clip], rows: NDArray[np.int64], facts: Facts, index: Index) -> None:
        """Refuse a pack of another corpus with the same names, by a few of the sound files that are present."""
        prints = dict(zip(index.find(facts.prints).tolist(), facts.prints.values(), strict=True))
        known = np.flatnonzero((rows >= 0) & np.isin(rows, list(prints)))
        for i in known[:: max(1, len(known) // COMPARED)].tolist():
            path = path_of(clips, i)
            if path.is_file() and fingerprint(path) not in (None, prints[int(rows[i])]):
                raise WsedError(
                    f"{path} is not the file that {self.folder} has packed under this name: run `wsed data pack` again "
                    f"with --overwrite; or if the pack is right, set data.corpus.root to {self.store.local / CORPUS}"
                )

    def _absent(self, path: Path) -> str:
        return f"{path} is not in the pack {self.folder}; run `wsed data pack` again, or set data.reader.root"


def _names(paths: Iterable[str], roots: Sequence[Path]) -> Iterator[str]:
    """Each path relative to the first root that contains it. The disk is asked once per folder."""
    begin = cache(partial(_below, roots))
    for path in paths:
        cut = path.rfind(os.sep) + 1
        place = begin(path[:cut])
        yield _of_file(roots, path) if place is None else place + path[cut:]


def _of_file(roots: Sequence[Path], path: str) -> str:
    """A file whose folder is outside all roots: relative to the root in which a link leads to it, or as it is."""
    found = _relative(os.path.realpath(path), roots)
    return Path(path).as_posix() if found is None else found


def _below(roots: Sequence[Path], folder: str) -> str | None:
    """A folder relative to the first root that contains it, ending in a slash; None if none does.

    Links are resolved only if no root contains it otherwise.
    """
    for place in (os.path.abspath, os.path.realpath):
        if (found := _relative(place(folder), roots)) is not None:
            return f"{found}/".removeprefix("./")
    return None


def _relative(absolute: str, roots: Sequence[Path]) -> str | None:
    """A path relative to the first root that contains it; None if none does."""
    path = Path(absolute)
    return next((path.relative_to(root).as_posix() for root in roots if path.is_relative_to(root)), None)
