"""The choice of the sampler: it follows from what the losses need together."""

from collections.abc import Mapping

from wsed.data.checks import Episodes
from wsed.data.clip_table import ClipTable
from wsed.data.sampling.balanced import BalancedSampler
from wsed.data.sampling.base import EpochSampler
from wsed.data.sampling.episodes import ClassSampler
from wsed.data.sampling.quota import QuotaSampler
from wsed.types import Needs


def is_balanced(needs: Needs, balanced: bool | None = None) -> bool:
    """Whether classes take turns in giving clips: where a loss needs several classes, unless the user decides.

    >>> is_balanced(Needs(classes=2)), is_balanced(Needs()), is_balanced(Needs(), balanced=True)
    (True, False, True)
    """
    return bool(needs.classes or needs.per_class) if balanced is None else balanced


def choose(
    needs: Needs,
    table: ClipTable,
    batch: Mapping[str, int],
    episodes: Episodes | None = None,
    balanced: bool | None = None,
    seed: int = 0,
    rank: int = 0,
    ranks: int = 1,
) -> EpochSampler:
    """The sampler that serves losses.

    Args:
        needs: what the losses need, joined.
        table: the training clips.
        batch: clips of each source in a batch, per process.
        episodes: batches of some clips of each class, in place of `batch`.
        balanced: whether classes take turns; None: if a loss needs it.
        seed: of the order.
        rank: of this process.
        ranks: number of processes.
    """
    if episodes is not None:
        shape = episodes.shape(needs, table.n_labels)
        label = table.labels.values[table.labels.first[:-1]]
        return ClassSampler(label.long(), *shape, seed, rank, ranks)
    how = (table.source, table.sources, batch, seed, rank, ranks)
    return BalancedSampler(table.labels, *how) if is_balanced(needs, balanced) else QuotaSampler(*how)
