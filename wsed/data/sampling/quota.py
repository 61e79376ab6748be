"""`QuotaSampler`: batches with a fixed number of clips of each source."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from wsed.data.sampling.base import EpochSampler, passes
from wsed.errors import WsedError


class QuotaSampler(EpochSampler):
    """Batches with a fixed number of clips of each source.

    The batches of N ranks at step `k` hold together the clips of one batch with N times the quota. An epoch is one pass
    through the source that needs the most batches. The other sources start again, newly shuffled. All batches are
    complete: the last one is filled from a new pass.

    Args:
        source: `[clip]`, index of the source of each clip.
        sources: names of the sources.
        quota: clips of each source in a batch, per rank.
        seed: seed of the order.
        rank: rank of this process.
        ranks: number of processes.

    Raises:
        WsedError: a source with a quota has no clips, or all quotas are 0.

    >>> sampler = QuotaSampler(torch.tensor([0, 0, 1]), ("weak", "strong"), {"weak": 1, "strong": 1})
    >>> [len(batch) for batch in sampler]
    [2, 2]
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
            raise WsedError(f"data.batch has no clips: {dict(quota)}")
        for name, pool in self.pools.items():
            if not len(pool):
                raise WsedError(
                    f"data.batch asks for {quota[name]} clips of source {name!r}, but the source has none: leave it out"
                )
        self.quota = dict(quota)
        super().__init__(seed, rank, ranks)

    def __len__(self) -> int:
        return max(-(-len(pool) // (self.quota[name] * self.ranks)) for name, pool in self.pools.items())

    def batches(self) -> Iterator[list[int]]:
        """All batches of the epoch."""
        orders = {name: self._order(i, name) for i, name in enumerate(self.pools)}
        for step in range(len(self)):
            batch: list[int] = []
            for name, order in orders.items():
                per_step = self.quota[name] * self.ranks
                batch += order[step * per_step : (step + 1) * per_step][self.rank :: self.ranks].tolist()
            yield batch

    def _order(self, number: int, name: str) -> Tensor:
        pool, wanted = self.pools[name], len(self) * self.quota[name] * self.ranks
        return passes(pool, wanted, self.generator(number))
