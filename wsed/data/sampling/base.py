"""The base of samplers: the order of the clips depends on the seed and the epoch only."""

from abc import abstractmethod
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import Sampler

if TYPE_CHECKING:
    from lightning.pytorch import Trainer


class EpochSampler(Sampler[list[int]]):
    """Batches in an order that depends on `seed` and the epoch only, so a resumed run gets the same batches."""

    def __init__(self, seed: int, rank: int, ranks: int) -> None:
        self.seed, self.rank, self.ranks = seed, rank, ranks
        self.epoch = self._done = 0
        self.sampler = self  # Lightning calls set_epoch on batch_sampler.sampler

    def __iter__(self) -> Iterator[list[int]]:
        done, self._done = self._done, 0  # at the first batch: loaders make an iterator that they do not use
        yield from islice(self.batches(), done, None)

    @abstractmethod
    def __len__(self) -> int:
        """Number of batches of an epoch."""

    @abstractmethod
    def batches(self) -> Iterator[list[int]]:
        """All batches of the epoch: the indices of the clips of this rank."""

    def go_on(self, epoch: int, done: int) -> None:
        """Continue with this epoch after its first `done` batches, which an interrupted training has used."""
        self.epoch, self._done = epoch, done

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch; Lightning calls it."""
        self.epoch = epoch

    def generator(self, number: int = 0) -> torch.Generator:
        """A random generator for this epoch, the same on all ranks; each `number` has a different one."""
        return torch.Generator().manual_seed(hash((self.seed, self.epoch, number)) % 2**63)


def progress(trainer: "Trainer") -> tuple[int, int]:
    """The current epoch of a training, or the next one to begin, and the number of its batches that are done."""
    loop = trainer.fit_loop
    epoch, batch = vars(loop.epoch_progress.current), vars(loop.epoch_loop.batch_progress.current)
    within = epoch["ready"] > epoch["processed"]
    return epoch["processed"], batch["processed"] if within else 0


def place(trainer: "Trainer", n_batches: int) -> tuple[int, int]:
    """Where a training goes on: the epoch, and how many of its batches are done.

    A checkpoint that was saved after the last batch of an epoch goes on with the next one. Reading processes fetch
    batches before Lightning says which epoch it is, so this has to be known before.

    Args:
        trainer: the trainer, after it has read the checkpoint.
        n_batches: number of batches of an epoch, of which `trainer.limit_train_batches` may leave out some.
    """
    epoch, done = progress(trainer)
    most = trainer.limit_train_batches
    used = min(most, n_batches) if isinstance(most, int) else int(most * n_batches)
    return (epoch, done) if done < used else (epoch + 1, 0)


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
