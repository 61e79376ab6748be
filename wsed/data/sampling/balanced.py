"""Batches in which the classes of each source come equally often."""

from collections.abc import Mapping

import torch
from torch import Tensor

from wsed.data.ragged import Ragged
from wsed.data.sampling.base import passes
from wsed.data.sampling.quota import QuotaSampler
from wsed.errors import WsedError


class BalancedSampler(QuotaSampler):
    """Batches with a fixed number of clips of each source, sampled per class.

    The classes of a source take turns, in a new order every round. Each gives its clips in a shuffled order: no clip
    comes again before all have come, nor twice in a batch if there are enough. So all classes are drawn equally often,
    give or take one draw. A clip of several classes is drawn for each of them, perhaps twice in one batch. An epoch has
    as many clips as one of `QuotaSampler`, and ranks share the batches in the same way.

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
        """The clips of each class that the source has."""
        classes = labels.take(pool)
        if not len(classes.values):
            raise WsedError(f"data.balanced: source {name!r} has no clip with a class; take it out, or set it to false")
        members = classes.inverse(int(classes.values.max()) + 1)
        return Ragged.of(pool[members.values], members.lengths[members.lengths > 0])

    def _order(self, number: int, name: str) -> Tensor:
        members, wanted = self.members[name], len(self) * self.quota[name] * self.ranks
        generator, wide = self.generator(number), self.quota[name] * self.ranks
        rounds, touched = (-(-clips // len(members)) for clips in (wanted, wide))
        touched += wide % len(members) > 0  # rounds that a batch takes clips from, at most
        drawn = torch.stack([passes(members[k], rounds, generator, touched) for k in range(len(members))], dim=1)
        turns = torch.rand(rounds, len(members), generator=generator).argsort(1)
        return drawn.gather(1, turns).flatten()[:wanted]
