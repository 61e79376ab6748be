"""`BalancedSampler`: batches with a fixed number of clips of each source, in which all classes are equally frequent."""

from collections.abc import Mapping

import torch
from torch import Tensor

from wsed.data.ragged import Ragged
from wsed.data.sampling.base import passes
from wsed.data.sampling.quota import QuotaSampler
from wsed.errors import WsedError


class BalancedSampler(QuotaSampler):
    """Batches with a fixed number of clips of each source, in which all classes are equally frequent.

    In each round, one clip of every class of a source is drawn, in a random order of the classes. The clips of a class
    come in a shuffled order: a clip is repeated only after all others of the class, and not within a batch if the class
    has enough clips. So all classes are drawn equally often, up to one draw. A clip with several classes is drawn for
    each of them, possibly twice in a batch. An epoch has as many clips as with `QuotaSampler`, and ranks share the
    batches in the same way.

    Args:
        labels: indices of the classes of each clip; clips without a class are never drawn.
        source: see `QuotaSampler`, as are the other arguments.
        sources: names of the sources.
        quota: clips of each source in a batch, per rank.
        seed: seed of the order.
        rank: rank of this process.
        ranks: number of processes.

    Raises:
        WsedError: a source has no clip with a class, or `QuotaSampler` refuses the arguments.

    >>> labels, source = Ragged.lists([[0], [0], [0], [1]]), torch.zeros(4, dtype=torch.long)
    >>> sampler = BalancedSampler(labels, source, ("weak",), {"weak": 2})
    >>> [3 in batch for batch in sampler]
    [True, True]
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
        generator, per_step = self.generator(number), self.quota[name] * self.ranks
        rounds, apart = (-(-clips // len(members)) for clips in (wanted, per_step))
        apart += per_step % len(members) > 0  # a batch takes clips from at most so many rounds
        drawn = torch.stack([passes(members[k], rounds, generator, apart) for k in range(len(members))], dim=1)
        turns = torch.rand(rounds, len(members), generator=generator).argsort(1)
        return drawn.gather(1, turns).flatten()[:wanted]
