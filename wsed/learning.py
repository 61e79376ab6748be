"""What is learned from the training set before the first step: statistics, label counts, class centres."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from torch import nn

from wsed.types import Batch


@runtime_checkable
class TrainingSet(Protocol):
    """The training clips, as parts that learn from them see them."""

    def batches(self) -> Iterable[Batch]:
        """One epoch of training batches as they are drawn, of this rank."""

    def in_order(self) -> Iterable[Batch]:
        """Every training clip once, without augmentation; the clips of this rank."""

    def label_counts(self) -> Sequence[float]:
        """How many training clips have each tag, over all ranks."""


@runtime_checkable
class LearnsFrom(Protocol):
    """A frontend, loss or metric that must see the training set before it is used.

    `SEDTask` calls `learn` once before training, on all ranks, unless a checkpoint brought what was learned.
    """

    @property
    def learned(self) -> bool:
        """Whether nothing is left to learn."""

    def learn(self, train: TrainingSet) -> None:
        """See the training set; all ranks call it and learn the same."""


def learners(module: nn.Module) -> Iterator[LearnsFrom]:
    """The outermost parts of a module that still have to learn; a part within another is the other's affair.

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
