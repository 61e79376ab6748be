"""Batches with a fixed number of clips of each source."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from wsed.data.sampling.base import EpochSampler, passes
from wsed.errors import WsedError


class QuotaSampler(EpochSampler):
    """Batches with a fixed number of clips of each source.

    Step `k` of N ranks holds, together, the clips that one rank with N times the quota would see at step `k`. An epoch
    is one pass through the source with the most batches; the others start again, newly shuffled, and no batch is
    short: the last one is filled up from a new pass.

    Args:
        source: `[clip]`, index of each clip's source.
        sources: names.
        quota: clips of each source in a batch, per rank.
        seed: of the order.
        rank: of this process.
        ranks: number of processes.

    Raises:
        WsedError: a quota for a source without clips, or no quota at all.
    """

    def __init__(
        self,
        source: Tensor,
        sources: tuple[str, ...],
        quota: Mapping[str, int],
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.pools = {
            name: torch.nonzero(source == sources.index(name)).flatten() if name in sources else source[:0]
            for name, clips in quota.items()
            if clips > 0
        }
        if not self.pools:
            raise WsedError(f"data.batch asks for no clips at all: {dict(quota)}")
        for name, pool in self.pools.items():
            if not len(pool):
                raise WsedError(
                    f"data.batch asks for {quota[name]} clips of source {name!r}, which has none: leave it out"
                )
        self.quota = dict(quota)
        super().__init__(seed, rank, ranks)

    def __len__(self) -> int:
        return max(-(-len(pool) // (self.quota[name] * self.ranks)) for name, pool in self.pools.items())

    def __iter__(self) -> Iterator[list[int]]:
        orders = {name: self._order(i, name) for i, name in enumerate(self.pools)}
        for step in range(len(self)):
            batch: list[int] = []
            for name, order in orders.items():
                wide = self.quota[name] * self.ranks
                batch += order[step * wide : (step + 1) * wide][self.rank :: self.ranks].tolist()
            yield batch

    def _order(self, number: int, name: str) -> Tensor:
        pool, wanted = self.pools[name], len(self) * self.quota[name] * self.ranks
        return passes(pool, wanted, self.generator(number))
