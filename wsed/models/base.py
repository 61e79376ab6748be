"""What a network is made of, and the registries of its parts."""

from collections.abc import Callable

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from wsed.learning import TrainingSet
from wsed.ops.grid import valid_frames
from wsed.registry import Registry
from wsed.types import Batch, Encoded, Labels, Output


class Frontend(nn.Module):
    """From audio to features. States `sample_rate` (Hz), `n_bands` and `frame_rate` (frames per second).

    `axis` is what the rows of its features are, for pictures.

    One that must see the training set first is not `learned`: it keeps the contract `wsed.learning.LearnsFrom`.
    """

    sample_rate: int
    n_bands: int
    frame_rate: float
    axis: str = "feature"

    @property
    def learned(self) -> bool:
        """Whether it is ready to be used."""
        return True

    def learn(self, train: TrainingSet) -> None:
        """See the training set, if there is something to learn; all ranks call it."""

    def forward(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        """Features, and which frames hold signal."""
        raise NotImplementedError

    def raw(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        """What no training changes of the features, so that it can be computed once and kept: here all of them.

        Of a frontend that is not `learned`, what its `learn` reads.
        """
        features: tuple[Tensor, Tensor] = self(audio, n_samples)
        return features

    def finish(self, features: Float[Tensor, "clip band frame"]) -> Float[Tensor, "clip band frame"]:
        """The features from what `raw` gave."""
        return features

    def of(self, batch: Batch) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"] | None]:
        """Features of a batch, from its audio, or from its `features` if `raw` was computed before.

        Returns:
            features, and which frames hold signal: None where the batch is `full`.
        """
        if batch.features is None:
            features, valid = self(batch.samples(), batch.n_samples)
        else:
            hop = round(self.sample_rate / self.frame_rate)
            features, n_frames = self.finish(batch.features), batch.features.shape[2]
            valid = valid_frames(batch.n_samples, hop, n_frames)
        return features, None if batch.full else valid


class Encoder(nn.Module):
    """From features to frame embeddings. Built as `encoder(n_bands)`; states `dim` and `stride` (time steps per frame).

    In eval mode the embeddings of a clip do not depend on the padding that its neighbours bring. An encoder that gives
    maps at other rates states `levels`: dim and stride of each.
    """

    dim: int
    stride: int
    levels: tuple[tuple[int, int], ...] = ()

    @classmethod
    def example(cls) -> "tuple[EncoderFactory, Frontend | None]":
        """What builds a small one for tests, and the frontend it needs; None: any."""
        return cls, None

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        """Embeddings at the frontend's frame rate divided by `stride`; without `valid` all frames hold signal."""
        raise NotImplementedError


class Head(nn.Module):
    """From embeddings to scores. Built as `head(dim, n_labels)`; `provides` names the fields of `Output` it fills."""

    provides: frozenset[str] = frozenset()

    def forward(self, encoded: Encoded) -> Output:
        """The fields it provides."""
        raise NotImplementedError


class Network(nn.Module):
    """All that training, inference and command line know of a model: from a batch to an output.

    States `labels`, `sample_rate` (Hz), `frame_rate` (of its output, frames per second) and `provides`.
    """

    labels: Labels
    sample_rate: int
    frame_rate: float
    provides: frozenset[str]

    @classmethod
    def example(cls, labels: Labels) -> "Network":
        """A small one, for tests."""
        return cls(labels)

    def forward(self, batch: Batch) -> Output:
        """What the network predicts for the clips."""
        raise NotImplementedError

    def after_step(self) -> None:
        """What changes once per optimiser step, such as the running mean of weights; `SEDTask` calls it.

        A network that is made of networks passes the call on to them.
        """
        for part in self.children():
            if isinstance(part, Network):
                part.after_step()


EncoderFactory = Callable[[int], Encoder]
HeadFactory = Callable[[int, int], Head]
NetworkFactory = Callable[[Labels], Network]

FRONTENDS: Registry[type[Frontend]] = Registry("frontend", "wsed.models", Frontend)
ENCODERS: Registry[type[Encoder]] = Registry("encoder", "wsed.models", Encoder, given=1)
HEADS: Registry[type[Head]] = Registry("head", "wsed.models", Head, given=2)
NETWORKS: Registry[type[Network]] = Registry("network", "wsed.models", Network, given=1, default="composed")
