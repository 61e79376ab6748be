"""Protocols of the task, network and frontend that the data module serves."""

from collections.abc import Iterator, Mapping
from typing import Protocol, TypeGuard, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from wsed.types import Batch, Labels, Needs


@runtime_checkable
class Frontend(Protocol):
    """A frontend whose features can be stored: no training changes the features that `raw` returns."""

    sample_rate: int
    frame_rate: float

    @property
    def learned(self) -> bool:
        """Whether the frontend has learned from the training set, or need not."""
        ...

    def raw(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        """Features that no training changes, and the frames that hold signal."""
        ...


@runtime_checkable
class Network(Protocol):
    """A network that is trained or scored."""

    labels: Labels
    sample_rate: int
    frame_rate: float

    def modules(self) -> Iterator[nn.Module]:
        """All modules of the network."""
        ...


@runtime_checkable
class ChecksLengths(Protocol):
    """A network that refuses clips which are too short for it."""

    def check_lengths(self, batch: Batch) -> None:
        """Refuse a batch on the CPU with such clips."""
        ...


class Trained(Protocol):
    """A task: its network, and the needs of each loss, by the name of the loss."""

    network: Network
    needs: Mapping[str, Needs]


def is_trained(task: object) -> TypeGuard[Trained]:
    """Whether a Lightning module is a `Trained` task.

    `isinstance` cannot tell: from Python 3.12 on, protocols do not see submodules, since `nn.Module` finds them by
    `__getattr__`.

    >>> is_trained(nn.Linear(1, 1))
    False
    """
    if task is None:
        return False
    children = dict(task.named_children()) if isinstance(task, nn.Module) else {}
    parts = {**vars(task), **children}
    return isinstance(parts.get("network"), Network) and isinstance(parts.get("needs"), Mapping)
