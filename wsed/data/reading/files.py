"""Audio read from its file whenever it is asked for."""

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from wsed.data import audio
from wsed.data.clip_table import ClipTable
from wsed.errors import WsedError

Item = tuple[int, NDArray[np.float32]]
"""Index of the clip and its audio `[sample]`."""


class ClipDataset(Dataset[Item]):
    """The audio of a table's clips.

    Args:
        table: the clips.
        sample_rate: of the audio given, Hz.
        duration: seconds read from the start of each clip; all if None. A clip's `span` is read as it is.
        keep: the audio stays in memory once it is read (of 10 s at 16 kHz, 0.64 MB a clip).
    """

    def __init__(self, table: ClipTable, sample_rate: int, duration: float | None = None, keep: bool = False) -> None:
        self.table, self.sample_rate, self.duration, self.keep = table, sample_rate, duration, keep
        self._kept: dict[int, NDArray[np.float32]] = {}

    def __len__(self) -> int:
        return len(self.table.clips)

    def __getitem__(self, index: int) -> Item:
        if index in self._kept:
            return index, self._kept[index]
        clip = self.table.clips[index]
        start, length = clip.span or (0.0, self.duration)
        try:
            samples = audio.read(clip.path, self.sample_rate, start, length)
        except WsedError as error:
            raise WsedError(f"{error} (`wsed data check` finds all such clips)") from None
        if self.keep:
            self._kept[index] = samples
        return index, samples
