"""The reader `files`: it reads a clip from its sound file each time."""

from collections.abc import Sequence
from math import inf, isinf

from torch.utils.data import Dataset

from wsed.data import audio
from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.reading.base import READERS, Headers, Item, Reader, read_headers
from wsed.data.trained import Network
from wsed.errors import WsedError


class ClipDataset(Dataset[Item]):
    """The audio of the clips of a table.

    Args:
        table: the clips; at most `table.end` seconds of each are read.
        sample_rate: sample rate of the audio, Hz.
    """

    def __init__(self, table: ClipTable, sample_rate: int) -> None:
        self.table, self.sample_rate = table, sample_rate

    def __len__(self) -> int:
        return len(self.table.clips)

    def __getitem__(self, index: int) -> Item:
        clip = self.table.clips[index]
        length = min(self.table.end, inf if clip.start is None or clip.duration is None else clip.duration)
        start = 0.0 if clip.start is None else clip.start
        try:
            samples = audio.read(clip.path, self.sample_rate, start, None if isinf(length) else length)
        except WsedError as error:
            raise WsedError(f"{error} (`wsed data check` finds all such clips)") from None
        return Item(index, len(samples), samples)


@READERS.register("files")
class Files(Reader):
    """Reads a clip from its sound file each time.

    Args:
        headers: whether all files are opened at the start, some thousands per second. Clips whose file cannot be read
            or is empty are then left out. Otherwise such a file stops the training when it is read.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     audio.write(Path(folder) / "a.wav", np.zeros(4000, dtype=np.float32), sample_rate=8000)
    ...     Files().headers([Clip("a.wav", Path(folder) / "a.wav", "weak")]).seconds
    array([0.5])
    """

    def __init__(self, headers: bool = True) -> None:
        self.open_files = headers

    def open(self, table: ClipTable, sample_rate: int, network: Network | None = None) -> Dataset[Item]:
        """The audio of the clips."""
        return ClipDataset(table, sample_rate)

    def headers(self, clips: Sequence[Clip]) -> Headers:
        """The headers of the files, if they are to be opened."""
        return read_headers(clips, self.open_files)
