"""The reader `memory`: it reads a clip once and keeps it in memory."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.reading.base import READERS, Headers, Item, Reader
from wsed.data.reading.files import Files
from wsed.data.trained import Network


class KeptDataset(Dataset[Item]):
    """The items of another dataset, kept in memory after they are read for the first time."""

    def __init__(self, dataset: Dataset[Item], n_clips: int) -> None:
        self.dataset, self.n_clips = dataset, n_clips
        self._items: dict[int, Item] = {}

    def __len__(self) -> int:
        return self.n_clips

    def __getitem__(self, index: int) -> Item:
        if index not in self._items:
            self._items[index] = self.dataset[index]
        return self._items[index]


@READERS.register("memory")
class Memory(Reader):
    """Reads a clip once and keeps it in memory, in each process that reads; for small corpora, with `workers: 0`.

    10 s at 16 kHz take 0.64 MB.

    Args:
        reader: reader of the clips; `files` if None.

    >>> type(Memory().reader).__name__
    'Files'
    """

    def __init__(self, reader: Reader | None = None) -> None:
        self.reader = Files() if reader is None else reader

    def open(self, table: ClipTable, sample_rate: int, network: Network | None = None) -> Dataset[Item]:
        """The items of the reader of the clips, kept in memory."""
        return KeptDataset(self.reader.open(table, sample_rate, network), len(table.clips))

    def learned(self, network: Network | None) -> bool:
        """As in the reader of the clips."""
        return self.reader.learned(network)

    @property
    def makes_features(self) -> bool:
        """As in the reader of the clips."""
        return self.reader.makes_features

    def silence(self, dataset: Dataset[Item]) -> NDArray[np.float32] | None:
        """As in the reader of the clips."""
        assert isinstance(dataset, KeptDataset)
        return self.reader.silence(dataset.dataset)

    def headers(self, clips: Sequence[Clip]) -> Headers:
        """The headers of the files, by the reader of the clips."""
        return self.reader.headers(clips)

    def prints(self, clips: Sequence[Clip]) -> list[str | None]:
        """The texts that identify the sound of the clips, from the reader of the clips."""
        return self.reader.prints(clips)
