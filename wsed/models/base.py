"""What a network is made of, and the registries of its parts."""

from collections.abc import Callable

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from wsed.registry import Registry
from wsed.types import Batch, Encoded, Labels, Output


class Frontend(nn.Module):
    """From audio to features. States `sample_rate` (Hz), `n_bands` and `frame_rate` (frames a second)."""

    sample_rate: int
    n_bands: int
    frame_rate: float

    def forward(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        """Features, and which frames hold signal."""
        raise NotImplementedError


class Encoder(nn.Module):
    """From features to frame embeddings. Built as `encoder(n_bands)`; states `dim` and `stride` (time steps a frame).

    In eval mode what a clip gives does not depend on the padding its neighbours bring.
    """

    dim: int
    stride: int

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"]) -> Encoded:
        """Embeddings at the frontend's frame rate divided by `stride`."""
        raise NotImplementedError


class Head(nn.Module):
    """From embeddings to scores. Built as `head(dim, n_labels)`; `provides` names the fields of `Output` it fills."""

    provides: frozenset[str] = frozenset()

    def forward(self, encoded: Encoded) -> Output:
        """The fields it provides."""
        raise NotImplementedError


class Network(nn.Module):
    """All that task, inference and command line know of a model: from a batch to an output.

    States `labels`, `sample_rate` (Hz), `frame_rate` (of its output, frames a second) and `provides`.
    """

    labels: Labels
    sample_rate: int
    frame_rate: float
    provides: frozenset[str]

    def forward(self, batch: Batch) -> Output:
        """What the network says of the clips."""
        raise NotImplementedError


EncoderFactory = Callable[[int], Encoder]
HeadFactory = Callable[[int, int], Head]
NetworkFactory = Callable[[Labels], Network]

FRONTENDS: Registry[type[Frontend]] = Registry("frontend", "wsed.models")
ENCODERS: Registry[type[Encoder]] = Registry("encoder", "wsed.models")
HEADS: Registry[type[Head]] = Registry("head", "wsed.models")
NETWORKS: Registry[type[Network]] = Registry("network", "wsed.models")
