"""The base class of losses, and their registry."""

from dataclasses import dataclass

from torch import Tensor, nn

from wsed.losses.schedule import Schedule
from wsed.registry import Registry
from wsed.types import Batch, Labels, Needs, Output


class Loss(nn.Module):
    """Base class of losses: modules that compute a number from an `Output` and a `Batch`.

    `needs` states which fields of the output the loss reads and what it requires of a batch, so that a mismatch is an
    error before any audio is read. `forward` returns a 0-d tensor: the mean over the elements that count, computed by
    `wsed.ops.reduce.masked_mean`, or a zero attached to the graph if no element counts. It never logs and never
    changes its inputs. The formula is a pure function of tensors in the same module; `wsed.losses.functional` exports
    the functions of the library.

    A loss that changes over training reads `epoch`; `SEDTask` calls `start_epoch` before each epoch. A loss that must
    see the training set first implements `wsed.learning.LearnsFrom`.

    >>> loss = Loss()
    >>> loss.start_epoch(3)
    >>> loss.epoch
    3
    >>> loss.name_classes(Labels(["Dog"]))  # its settings name none
    """

    needs: Needs = Needs()
    _epoch: int = 0

    @property
    def epoch(self) -> int:
        """The current epoch, from 0."""
        return self._epoch

    def start_epoch(self, epoch: int) -> None:
        """Called before each epoch; a loss that contains other losses calls it on them too."""
        self._epoch = epoch

    def name_classes(self, labels: Labels) -> None:
        """Called by `SEDTask` with the classes of the network, for losses whose settings name classes."""

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """The value of the loss, 0-d."""
        raise NotImplementedError


@dataclass
class Weighted:
    """A loss and its weight in the objective, which is the weighted sum of all losses.

    Args:
        loss: the loss; in YAML its registered name or its import path.
        weight: a number, or a schedule over optimiser steps such as `Ramp`.

    >>> from wsed.losses.mil import MIL
    >>> Weighted(MIL(), 0.5).at(step=0)
    0.5
    """

    loss: Loss
    weight: float | Schedule = 1.0

    def at(self, step: int) -> float:
        """The weight at an optimiser step; steps count from 0."""
        return self.weight(step) if isinstance(self.weight, Schedule) else self.weight


LOSSES: Registry[type[Loss]] = Registry("loss", "wsed.losses", Loss)
