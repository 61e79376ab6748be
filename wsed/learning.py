"""Protocols of components that learn from the training set before the first step: statistics, counts, class centres."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from torch import nn

from wsed.types import Batch


@runtime_checkable
class TrainingSet(Protocol):
    """The training clips, for components that learn from them before the first step."""

    def batches(self) -> Iterable[Batch]:
        """One epoch of training batches as the sampler draws them; only the batches of this rank."""

    def in_order(self) -> Iterable[Batch]:
        """Every training clip once, without augmentation; only the clips of this rank."""

    def label_counts(self) -> Sequence[float]:
        """Number of training clips with each tag, over all ranks."""


@runtime_checkable
class LearnsFrom(Protocol):
    """A frontend, loss or metric that must learn from the training set before it is used.

    `SEDTask` calls `learn` once before training, on all ranks, unless a checkpoint already holds what was learned.
    """

    @property
    def learned(self) -> bool:
        """Whether it has learned from the training set already."""

    def learn(self, train: TrainingSet) -> None:
        """Learn from the training set; all ranks call it and learn the same."""


def learners(module: nn.Module) -> Iterator[LearnsFrom]:
    """The outermost parts of a module that still have to learn; each part takes care of the parts inside it.

    >>> from wsed.models.frontends import Standardised
    >>> [type(part).__name__ for part in learners(nn.Sequential(Standardised(Standardised())))]
    ['Standardised']
    """
    if isinstance(module, LearnsFrom):
        if not module.learned:
            yield module
        return
    for child in module.children():
        yield from learners(child)
