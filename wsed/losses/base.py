"""What a loss is, and its registry."""

from dataclasses import dataclass

from torch import Tensor, nn

from wsed.losses.schedule import Schedule
from wsed.registry import Registry
from wsed.types import Batch, Needs, Output


class Loss(nn.Module):
    """A loss of an `Output` and a `Batch`.

    `needs` states which fields of the output it reads and what it asks of a batch, so that a mismatch is found
    before any audio is read. `forward` returns a 0-d tensor, a mean over the elements it applies to by
    `wsed.ops.reduce.masked_mean`: a zero attached to the graph where there are none. It never logs and never
    changes its inputs. The formula stands beside it as a pure function of tensors; the library's own are
    re-exported by `wsed.losses.functional`.

    A loss that changes over training reads `epoch`; `SEDTask` calls `start_epoch` before each one.
    A loss that must see the training set first keeps the contract `wsed.learning.LearnsFrom`.
    """

    needs: Needs = Needs()
    _epoch: int = 0

    @property
    def epoch(self) -> int:
        """The epoch that is being trained, from 0."""
        return self._epoch

    def start_epoch(self, epoch: int) -> None:
        """Called before each epoch; a loss made of others passes it on."""
        self._epoch = epoch

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """The loss, 0-d."""
        raise NotImplementedError


@dataclass
class Weighted:
    """A term of the objective.

    Args:
        loss: the loss, by registry name or import path in YAML.
        weight: its factor in the sum: a number, or a schedule over steps such as `Ramp`.

    >>> from wsed.losses.mil import MIL
    >>> Weighted(MIL(), 0.5).at(step=0)
    0.5
    """

    loss: Loss
    weight: float | Schedule = 1.0

    def at(self, step: int) -> float:
        """The weight at an optimiser step, from 0."""
        return self.weight(step) if isinstance(self.weight, Schedule) else self.weight


LOSSES: Registry[type[Loss]] = Registry("loss", "wsed.losses", Loss)
