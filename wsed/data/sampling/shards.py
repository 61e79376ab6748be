"""`ShardSampler`: every clip once, divided among the processes."""

from collections.abc import Iterator, Sequence

from torch.utils.data import Sampler

from wsed.data.clip import Clip


class ShardSampler(Sampler[int]):
    """Every clip once, in order, divided among the ranks. The first clips are repeated so that all ranks have as many.

    The collector of scores drops repeated clips by their id.

    Args:
        n_clips: number of clips.
        rank: rank of this process.
        ranks: number of processes.
        order: indices of all clips, in the order in which they are read; if None, the order of the clips.

    >>> [list(ShardSampler(3, rank, ranks=2)) for rank in (0, 1)]
    [[0, 2], [1, 0]]
    """

    def __init__(self, n_clips: int, rank: int = 0, ranks: int = 1, order: Sequence[int] | None = None) -> None:
        self.indices = [i % n_clips for i in range(-(-n_clips // ranks) * ranks)][rank::ranks] if n_clips else []
        if order is not None:
            self.indices = [order[i] for i in self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)


def longest_first(clips: Sequence[Clip]) -> list[int]:
    """Indices of clips sorted by length, so that a batch has little padding and the largest batch comes first.

    If a duration is not known yet, clips are sorted by the sizes of their files; missing files come last.

    >>> from pathlib import Path
    >>> longest_first([Clip("a", Path("a"), "", duration=1.0), Clip("b", Path("b"), "", duration=2.0)])
    [1, 0]
    """
    seconds = [clip.duration for clip in clips]
    known = [length for length in seconds if length is not None]
    length = known if len(known) == len(clips) else [_size(clip) for clip in clips]
    return sorted(range(len(clips)), key=lambda i: -length[i])


def _size(clip: Clip) -> float:
    try:
        return float(clip.path.stat().st_size)
    except OSError:
        return -1.0
