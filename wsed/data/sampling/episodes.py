"""Batches of a fixed number of clips of each of some classes."""

from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor

from wsed.data.sampling.base import EpochSampler
from wsed.errors import WsedError


class ClassSampler(EpochSampler):
    """Batches of `per_class` clips of each of `classes` classes.

    No clip comes twice in an epoch, and the classes come equally often (give or take one batch); it ends where the
    smallest class has no clips left. Step `k` of N ranks holds, together, the clips that one rank with N times
    `per_class` would see at step `k`.

    Args:
        label: the class of each clip.
        classes: in a batch; where there are more, those that came least so far, ties broken at random.
        per_class: clips of each of them, per rank.
        seed: of the order.
        rank: of this process.
        ranks: number of processes.

    Raises:
        WsedError: there are fewer classes, or one has too few clips for a single batch.
    """

    def __init__(
        self,
        label: Int[Tensor, " clip"],
        classes: int,
        per_class: int = 1,
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        super().__init__(seed, rank, ranks)
        self.pools = [torch.nonzero(label == k).flatten() for k in sorted(set(label.tolist()))]
        self.classes, self.wide = classes, per_class * ranks
        fewest = min(map(len, self.pools), default=0)
        if not 1 <= classes <= len(self.pools) or not 1 <= self.wide <= fewest:
            raise WsedError(
                f"batches of {classes} classes with {self.wide} clips each (over all processes) cannot be made of "
                f"{len(self.pools)} classes, of which the smallest has {fewest} clips"
            )
        self._batches = fewest // self.wide * len(self.pools) // classes

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[int]]:
        generator = self.generator()
        orders = [pool[torch.randperm(len(pool), generator=generator)] for pool in self.pools]
        used = torch.zeros(len(orders), dtype=torch.float64)
        for _ in range(len(self)):
            lots = torch.rand(len(used), generator=generator, dtype=torch.float64)
            batch: list[int] = []
            for k in (used + lots).argsort()[: self.classes].tolist():
                first = int(used[k]) * self.wide
                batch += orders[k][first : first + self.wide][self.rank :: self.ranks].tolist()
                used[k] += 1
            yield batch
