"""Which clips form which batch: quotas by source, exact over ranks, reproducible and resumable."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from torch.utils.data import Sampler

from wsed.errors import WsedError


class QuotaSampler(Sampler[list[int]]):
    """Batches with a fixed number of clips of each source.

    The order follows from `seed` and the epoch alone, so a resumed run sees what it would have seen. Step `k` of N
    ranks holds, together, the clips that one rank with N times the quota would see at step `k`. An epoch is one pass
    through the source with the most batches; the others start again, newly shuffled, and no batch is short: the
    last one is filled up from a new pass.

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
                raise WsedError(f"data.batch asks for {quota[name]} clips of source {name!r}, which has none")
        self.quota, self.seed, self.rank, self.ranks = dict(quota), seed, rank, ranks
        self.epoch = 0
        self.sampler = self  # Lightning calls set_epoch on batch_sampler.sampler

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch; Lightning calls it."""
        self.epoch = epoch

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
        generator = torch.Generator().manual_seed(hash((self.seed, self.epoch, number)) % 2**63)
        passes = -(-wanted // len(pool))
        return torch.cat([pool[torch.randperm(len(pool), generator=generator)] for _ in range(passes)])[:wanted]


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
