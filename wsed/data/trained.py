"""What the data module asks of the task that it serves."""

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from wsed.types import Labels, Needs


@runtime_checkable
class Frontend(Protocol):
    """The part of a network whose features can be kept: `raw` gives what no training changes of them."""

    sample_rate: int

    @property
    def learned(self) -> bool:
        """Whether it has seen the training set, if it must."""
        ...

    def raw(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        """Features that no training changes, and which frames hold signal."""
        ...


@runtime_checkable
class Network(Protocol):
    """A network that is trained or scored."""

    labels: Labels
    sample_rate: int
    frame_rate: float

    def modules(self) -> Iterator[nn.Module]:
        """All its parts."""
        ...


@runtime_checkable
class Trained(Protocol):
    """A task: its network, and what each of its losses needs, by the loss's name."""

    network: Network
    needs: Mapping[str, Needs]
