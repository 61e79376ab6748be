"""`ClassSampler`: batches with a fixed number of clips of some classes."""

from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor

from wsed.data.sampling.base import EpochSampler
from wsed.errors import WsedError


class ClassSampler(EpochSampler):
    """Batches with `per_class` clips of each of `classes` classes.

    No clip comes twice in an epoch, and all classes are equally frequent, up to one batch. An epoch ends when the
    smallest class has no clips left. The batches of N ranks at step `k` hold together the clips of one batch with N
    times `per_class`.

    Args:
        label: the class of each clip.
        classes: number of classes in a batch. If there are more, the least used ones are taken; ties are random.
        per_class: clips of each of these classes, per rank.
        seed: seed of the order.
        rank: rank of this process.
        ranks: number of processes.

    Raises:
        WsedError: there are fewer classes, or a class has too few clips for a batch.

    >>> len(list(ClassSampler(torch.tensor([0, 0, 1, 1]), classes=2)))
    2
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
        self.classes, self.per_step = classes, per_class * ranks
        fewest = min(map(len, self.pools), default=0)
        if not 1 <= classes <= len(self.pools) or not 1 <= self.per_step <= fewest:
            raise WsedError(
                f"batches of {classes} classes with {self.per_step} clips each (over all processes) cannot be made of "
                f"{len(self.pools)} classes, of which the smallest has {fewest} clips"
            )
        self._batches = fewest // self.per_step * len(self.pools) // classes

    def __len__(self) -> int:
        return self._batches

    def batches(self) -> Iterator[list[int]]:
        """All batches of the epoch."""
        generator = self.generator()
        orders = [pool[torch.randperm(len(pool), generator=generator)] for pool in self.pools]
        used = torch.zeros(len(orders), dtype=torch.float64)
        for _ in range(len(self)):
            ties = torch.rand(len(used), generator=generator, dtype=torch.float64)
            batch: list[int] = []
            for k in (used + ties).argsort()[: self.classes].tolist():
                first = int(used[k]) * self.per_step
                batch += orders[k][first : first + self.per_step][self.rank :: self.ranks].tolist()
                used[k] += 1
            yield batch
