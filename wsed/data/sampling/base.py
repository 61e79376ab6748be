"""The order of an epoch, which follows from the seed and the epoch alone."""

import torch
from torch import Tensor
from torch.utils.data import Sampler


class EpochSampler(Sampler[list[int]]):
    """Batches in an order that follows from `seed` and the epoch alone: a resumed run sees what it would have seen."""

    def __init__(self, seed: int, rank: int, ranks: int) -> None:
        self.seed, self.rank, self.ranks = seed, rank, ranks
        self.epoch = 0
        self.sampler = self  # Lightning calls set_epoch on batch_sampler.sampler

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch; Lightning calls it."""
        self.epoch = epoch

    def generator(self, number: int = 0) -> torch.Generator:
        """The random numbers of this epoch, the same on all ranks; each `number` has its own."""
        return torch.Generator().manual_seed(hash((self.seed, self.epoch, number)) % 2**63)


def passes(pool: Tensor, wanted: int, generator: torch.Generator, apart: int = 1) -> Tensor:
    """Entries of a pool from newly shuffled passes through it, one after the other.

    >>> passes(torch.arange(3), 6, torch.Generator().manual_seed(0)).sort().values.tolist()
    [0, 0, 1, 1, 2, 2]

    Args:
        pool: what is drawn from.
        wanted: number of entries.
        generator: of the order.
        apart: no entry comes twice among so many in a row, if the pool is large enough: the last entries of a pass are
            the last of the next one too.
    """
    passes, recent = [], torch.zeros(0, dtype=torch.long)
    for _ in range(-(-wanted // len(pool))):
        order = torch.randperm(len(pool), generator=generator)
        order = torch.cat([order[~torch.isin(order, recent)], recent])
        recent = order[max(len(pool) - apart + 1, 1) :] if apart > 1 else recent
        passes.append(order)
    return pool[torch.cat(passes)[:wanted]]
