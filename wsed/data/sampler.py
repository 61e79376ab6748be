"""Which clips form which batch: quotas by source or by class, exact over ranks, reproducible and resumable."""

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import Sampler

from wsed.data.ragged import Ragged
from wsed.errors import WsedError


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
        """Of the random numbers of this epoch, the same on all ranks; `number` tells several apart."""
        return torch.Generator().manual_seed(hash((self.seed, self.epoch, number)) % 2**63)


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
        return _passes(pool, wanted, self.generator(number))


class BalancedSampler(QuotaSampler):
    """Batches with a fixed number of clips of each source, each clip drawn for the sake of a class.

    The classes a source has take turns, in a new order every round, and each gives its clips in a shuffled order, from
    which none comes again before all have come, nor twice in a batch if there are enough. So all classes are drawn
    equally often, to one; a clip of several classes is drawn for each of them, perhaps for two in one batch. An epoch
    draws as many clips as one of `QuotaSampler`, and ranks share the batches as there.

    Args:
        labels: of each clip, the indices of its classes; clips without any are never drawn.
        source, sources, quota, seed, rank, ranks: see `QuotaSampler`.

    Raises:
        WsedError: as `QuotaSampler`, or a source has no clip with a class.
    """

    def __init__(
        self,
        labels: Ragged,
        source: Tensor,
        sources: tuple[str, ...],
        quota: Mapping[str, int],
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        super().__init__(source, sources, quota, seed, rank, ranks)
        self.members = {name: self._members(name, pool, labels) for name, pool in self.pools.items()}

    @staticmethod
    def _members(name: str, pool: Tensor, labels: Ragged) -> Ragged:
        """Of each class that the source has, its clips."""
        held = labels.take(pool)
        if not len(held.values):
            raise WsedError(f"data.balanced: source {name!r} has no clip with a class; take it out, or set it to false")
        members = held.inverse(int(held.values.max()) + 1)
        return Ragged.of(pool[members.values], members.lengths[members.lengths > 0])

    def _order(self, number: int, name: str) -> Tensor:
        members, wanted = self.members[name], len(self) * self.quota[name] * self.ranks
        generator, wide = self.generator(number), self.quota[name] * self.ranks
        rounds, touched = (-(-clips // len(members)) for clips in (wanted, wide))
        touched += wide % len(members) > 0  # rounds that a batch takes clips from, at most
        drawn = torch.stack([_passes(members[k], rounds, generator, touched) for k in range(len(members))], dim=1)
        turns = torch.rand(rounds, len(members), generator=generator).argsort(1)
        return drawn.gather(1, turns).flatten()[:wanted]


def _passes(pool: Tensor, wanted: int, generator: torch.Generator, apart: int = 1) -> Tensor:
    """So many of the pool: newly shuffled passes through it, one after the other.

    None comes twice among `apart` in a row, if the pool has as many: those that were the last of a pass are the last
    of the next one too.
    """
    passes, recent = [], torch.zeros(0, dtype=torch.long)
    for _ in range(-(-wanted // len(pool))):
        order = torch.randperm(len(pool), generator=generator)
        order = torch.cat([order[~torch.isin(order, recent)], recent])
        recent = order[max(len(pool) - apart + 1, 1) :] if apart > 1 else recent
        passes.append(order)
    return pool[torch.cat(passes)[:wanted]]


class ClassSampler(EpochSampler):
    """Batches of `per_class` clips of each of `classes` classes.

    No clip comes twice in an epoch, and the classes come equally often (give or take one batch); it ends where the
    smallest class has no clips left. Step `k` of N ranks holds, together, the clips that one rank with N times
    `per_class` would see at step `k`.

    Args:
        label: the class of each clip.
        classes: in a batch; where there are more, those that came least so far, drawn by lot among equals.
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
