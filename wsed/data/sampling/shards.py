"""`ShardSampler`: every clip once, divided among the processes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch.utils.data import Dataset, Sampler

from wsed.data.clip import Clip
from wsed.data.reading.base import Item
from wsed.data.sound_files import size


class Filled(Dataset[Item]):
    """A dataset with fillers: the item `~index` is that of `index` with no samples, so that the clip does not count."""

    def __init__(self, dataset: Dataset[Item]) -> None:
        self.dataset = dataset

    def __getitem__(self, index: int) -> Item:
        return self.dataset[index] if index >= 0 else replace(self.dataset[~index], n_samples=0)


class ShardSampler(Sampler[int]):
    """Every clip once, in order, divided among the ranks.

    All ranks must have the same number of batches, since they exchange values in each. A rank with one batch less gets
    a filler at the end: a clip that does not count, written as `~index`.

    Args:
        n_clips: number of clips.
        rank: rank of this process.
        ranks: number of processes.
        order: indices of all clips, in the order in which they are read; if None, the order of the clips.
        batch: number of clips in a batch.

    >>> [list(ShardSampler(3, rank, ranks=2)) for rank in (0, 1)]
    [[0, 2], [1, -1]]
    >>> [list(ShardSampler(3, rank, ranks=2, batch=2)) for rank in (0, 1)]
    [[0, 2], [1]]
    """

    def __init__(
        self, n_clips: int, rank: int = 0, ranks: int = 1, order: Sequence[int] | None = None, batch: int = 1
    ) -> None:
        places = range(n_clips) if order is None else order
        self._indices = places[rank::ranks]  # of a range again a range: no number per clip is kept
        most = -(-n_clips // ranks)
        self._filler = [~places[0]] if -(-len(self._indices) // batch) < -(-most // batch) else []

    def __len__(self) -> int:
        return len(self._indices) + len(self._filler)

    def __iter__(self) -> Iterator[int]:
        yield from self._indices
        yield from self._filler


def longest_first(clips: Sequence[Clip]) -> list[int]:
    """Indices of clips sorted by length, so that a batch has little padding and the largest batch comes first.

    If a duration is not known yet, clips are sorted by the sizes of their files; missing files come last.

    >>> from pathlib import Path
    >>> longest_first([Clip("a", Path("a"), "", duration=1.0), Clip("b", Path("b"), "", duration=2.0)])
    [1, 0]
    """
    seconds = [clip.duration for clip in clips]
    known = [length for length in seconds if length is not None]
    length = known if len(known) == len(clips) else [float(size(clip.path)) for clip in clips]
    return sorted(range(len(clips)), key=lambda i: -length[i])
