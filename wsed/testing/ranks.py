"""Threads that stand for the processes of a training."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch
from torch import Tensor

from wsed.ops.exchange import exchanging_by

T = TypeVar("T")
SECONDS = 60
"""How long a thread waits for the others."""


def in_ranks(run: Callable[[int, int], T], ranks: int = 2) -> list[T]:
    """What `run(rank, ranks)` returns for each rank; the ranks are threads, and `wsed.ops.exchange` works among them.

    Raises:
        Exception: the first error of a rank.

    >>> from wsed.ops.exchange import exchange
    >>> in_ranks(lambda rank, ranks: exchange().gathered(torch.tensor([rank])).flatten().tolist())
    [[0, 1], [0, 1]]
    """
    barrier, desk = Barrier(ranks, timeout=SECONDS), dict[int, list[Tensor]]()
    errors: list[BaseException] = []

    def one(rank: int) -> T:
        try:
            with exchanging_by(_Threads(rank, barrier, desk)):
                return run(rank, ranks)
        except BaseException as error:
            errors.append(error)
            barrier.abort()  # the others must not wait for this one
            raise

    with ThreadPoolExecutor(ranks) as pool:
        started = [pool.submit(one, rank) for rank in range(ranks)]
    if errors:
        raise errors[0]
    return [each.result() for each in started]


class _Threads:
    """An exchange between threads: each lays its tensors on a desk, and reads those of the others."""

    def __init__(self, rank: int, barrier: Barrier, desk: dict[int, list[Tensor]]) -> None:
        self.rank, self.barrier, self.desk = rank, barrier, desk

    def gathered(self, values: Tensor) -> Tensor:
        return torch.stack([given[0] for given in self._all([values])])

    def sent(self, rows: Tensor, to: Sequence[int], of: Sequence[int]) -> Tensor:
        received = [given[self.rank] for given in self._all(list(rows.split_with_sizes(list(to))))]
        assert [len(part) for part in received] == list(of), "processes must agree on what they exchange"
        alike = len({part.shape[1:] for part in received}) == 1
        assert alike, "processes exchange rows of one shape: set joint, so that clips of all are padded to one length"
        return torch.cat(received)

    def _all(self, mine: list[Tensor]) -> list[list[Tensor]]:
        self.desk[self.rank] = mine
        self.barrier.wait()
        everyone = [self.desk[rank] for rank in range(self.barrier.parties)]
        self.barrier.wait()
        return everyone
