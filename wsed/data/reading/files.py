"""The reader `files`: audio read from its file whenever it is asked for."""

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
    """The audio of a table's clips.

    Args:
        table: the clips, of each of which `table.end` seconds are read at most.
        sample_rate: of the audio given, Hz.
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
    """Reads each clip from its sound file whenever it is asked for.

    Args:
        headers: open every file at the start, some thousands per second, and leave out those that cannot be read or
            hold nothing. Without it, one such file ends the training.
    """

    def __init__(self, headers: bool = True) -> None:
        self.look = headers

    def open(self, table: ClipTable, sample_rate: int, network: Network | None = None) -> Dataset[Item]:
        """The clips' audio."""
        return ClipDataset(table, sample_rate)

    def headers(self, clips: Sequence[Clip]) -> Headers:
        """How long the files are, unless they are not to be opened."""
        return read_headers(clips, self.look)
