"""Every clip once, shared by the processes."""

from collections.abc import Iterator

from torch.utils.data import Sampler


class ShardSampler(Sampler[int]):
    """Every clip once, in order, spread over ranks; padded to equal counts by repeating the first clips.

    The store of scores drops the repeats by clip id.
    """

    def __init__(self, n_clips: int, rank: int = 0, ranks: int = 1) -> None:
        self.indices = [i % n_clips for i in range(-(-n_clips // ranks) * ranks)][rank::ranks] if n_clips else []

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)
