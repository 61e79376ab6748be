"""The choice of the sampler, from the needs of all losses together."""

from collections.abc import Mapping

from wsed.data.checks import Episodes
from wsed.data.clip_table import ClipTable
from wsed.data.sampling.balanced import BalancedSampler
from wsed.data.sampling.base import EpochSampler
from wsed.data.sampling.episodes import ClassSampler
from wsed.data.sampling.quota import QuotaSampler
from wsed.types import Needs


def is_balanced(needs: Needs, balanced: bool | None = None) -> bool:
    """Whether batches are balanced by class: if a loss needs several classes, unless the user decides.

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
    """The sampler that meets the needs of the losses.

    Args:
        needs: the needs of all losses together.
        table: the training clips.
        batch: clips of each source in a batch, per process.
        episodes: batches with the same number of clips of each class, instead of `batch`.
        balanced: whether batches are balanced by class; None: if a loss needs it.
        seed: seed of the order.
        rank: rank of this process.
        ranks: number of processes.

    >>> from pathlib import Path
    >>> from wsed.data import Clip
    >>> from wsed.types import Labels
    >>> table = ClipTable.of([Clip("a.wav", Path("a.wav"), "weak", frozenset({"Dog"}))], Labels(["Dog"]))
    >>> type(choose(Needs(), table, {"weak": 1})).__name__
    'QuotaSampler'
    """
    if episodes is not None:
        shape = episodes.shape(needs, table.n_labels)
        label = table.labels.values[table.labels.first[:-1]]
        return ClassSampler(label.long(), *shape, seed, rank, ranks)
    how = (table.source, table.sources, batch, seed, rank, ranks)
    return BalancedSampler(table.labels, *how) if is_balanced(needs, balanced) else QuotaSampler(*how)
