"""The base of samplers: the order of the clips depends on the seed and the epoch only."""

import torch
from torch import Tensor
from torch.utils.data import Sampler


class EpochSampler(Sampler[list[int]]):
    """Batches in an order that depends on `seed` and the epoch only, so a resumed run gets the same batches."""

    def __init__(self, seed: int, rank: int, ranks: int) -> None:
        self.seed, self.rank, self.ranks = seed, rank, ranks
        self.epoch = 0
        self.sampler = self  # Lightning calls set_epoch on batch_sampler.sampler

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch; Lightning calls it."""
        self.epoch = epoch

    def generator(self, number: int = 0) -> torch.Generator:
        """A random generator for this epoch, the same on all ranks; each `number` has a different one."""
        return torch.Generator().manual_seed(hash((self.seed, self.epoch, number)) % 2**63)


def passes(pool: Tensor, wanted: int, generator: torch.Generator, apart: int = 1) -> Tensor:
    """Draw from a pool in shuffled passes, one after the other: all entries come once before one is repeated.

    >>> passes(torch.arange(3), 6, torch.Generator().manual_seed(0)).sort().values.tolist()
    [0, 0, 1, 1, 2, 2]

    Args:
        pool: the entries.
        wanted: number of draws.
        generator: random generator of the order.
        apart: an entry is not repeated within this many draws, if the pool is large enough. For this, the last entries
            of a pass are also the last of the next pass.
    """
    passes, recent = [], torch.zeros(0, dtype=torch.long)
    for _ in range(-(-wanted // len(pool))):
        order = torch.randperm(len(pool), generator=generator)
        order = torch.cat([order[~torch.isin(order, recent)], recent])
        recent = order[max(len(pool) - apart + 1, 1) :] if apart > 1 else recent
        passes.append(order)
    return pool[torch.cat(passes)[:wanted]]
