"""`ShardSampler`: every clip once, divided among the processes."""

from collections.abc import Iterator

from torch.utils.data import Sampler


class ShardSampler(Sampler[int]):
    """Every clip once, in order, divided among the ranks. The first clips are repeated so that all ranks have as many.

    The collector of scores drops repeated clips by their id.

    >>> [list(ShardSampler(3, rank, ranks=2)) for rank in (0, 1)]
    [[0, 2], [1, 0]]
    """

    def __init__(self, n_clips: int, rank: int = 0, ranks: int = 1) -> None:
        self.indices = [i % n_clips for i in range(-(-n_clips // ranks) * ranks)][rank::ranks] if n_clips else []

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)
