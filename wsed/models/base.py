"""The base classes of networks, frontends, encoders and heads, and their registries."""

from collections.abc import Callable, Iterator

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from wsed.learning import TrainingSet
from wsed.ops.grid import valid_frames
from wsed.registry import Registry
from wsed.types import Batch, Encoded, Labels, Output


def ceil_div(dividend: int, divisor: int) -> int:
    """`dividend / divisor`, rounded up.

    >>> ceil_div(10, 4)
    3
    """
    return (dividend + divisor - 1) // divisor  # not -(-a // b): an exported network would round to zero


class Frontend(nn.Module):
    """Base class of frontends: modules that compute features from audio.

    A frontend states `sample_rate` (Hz), `n_bands` and `frame_rate` (frames per second). `axis` names the rows of its
    features in pictures. `decibel` is by how much the features of `raw` grow if the sound is 1 dB louder; None if they
    are not logarithms of the levels of frequency bands (embeddings, the waveform). Augmentations such as
    `filter_augment` need it. `beside` is (values per embedding, frames per embedding) of features that hold embeddings
    beside frequency bands; None for others. A frontend that must see the training set first overrides
    `learned` and `learn`, see `wsed.learning.LearnsFrom`.

    >>> from wsed.models import Waveform
    >>> from wsed.testing import batch
    >>> frontend, inputs = Waveform(sample_rate=8000), batch(n_clips=2)
    >>> features, valid = frontend.features(inputs)
    >>> features.shape
    torch.Size([2, 1, 8000])
    >>> raw, _ = frontend.raw(inputs.samples(), inputs.n_samples)
    >>> bool((frontend.finish(raw) == features).all()), frontend.learned
    (True, True)
    >>> bool((frontend.valid(inputs.n_samples, 8000) == valid).all())
    True
    >>> from types import SimpleNamespace
    >>> frontend.n_drawn
    1
    >>> frontend.learn(SimpleNamespace(batches=list, in_order=list, label_counts=list))  # it needs nothing
    """

    sample_rate: int
    n_bands: int
    frame_rate: float
    axis: str = "feature"
    decibel: float | None = None
    beside: tuple[int, int] | None = None

    @property
    def learned(self) -> bool:
        """Whether the frontend is ready for use."""
        return True

    def learn(self, train: TrainingSet) -> None:
        """Learn from the training set, if there is something to learn; every rank must call it."""

    def forward(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        """Features, and the frames that hold signal."""
        raise NotImplementedError

    def raw(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        """Features as far as they do not depend on training, so that they can be cached; by default all of `forward`.

        If the frontend is not `learned`, these are the features that `learn` reads.
        """
        features: tuple[Tensor, Tensor] = self(audio, n_samples)
        return features

    def finish(self, features: Float[Tensor, "clip band frame"]) -> Float[Tensor, "clip band frame"]:
        """The features of `forward`, computed from the result of `raw`."""
        return features

    def features(self, batch: Batch) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"] | None]:
        """Features of a batch, from its audio or from its cached `features` (the result of `raw`).

        Returns:
            features, and the frames that hold signal: None if the batch is `full`.
        """
        if batch.features is None:
            features, valid = self(batch.samples(), batch.n_samples)
        else:
            features, n_frames = self.finish(batch.features), batch.features.shape[2]
            valid = self.valid(batch.n_samples, n_frames)
        return features, None if batch.full else valid

    @property
    def n_drawn(self) -> int:
        """Number of rows of the features that pictures show: all but those that hold embeddings."""
        return self.n_bands if self.beside is None else self.n_bands - ceil_div(*self.beside)

    def valid(self, n_samples: Int[Tensor, " clip"], n_frames: int) -> Bool[Tensor, "clip frame"]:
        """Which of `n_frames` frames `forward` marks as signal, in clips of `n_samples`.

        By default, frames are centred on multiples of the hop, and those with their centre in the clip are signal.
        """
        return valid_frames(n_samples, round(self.sample_rate / self.frame_rate), n_frames)


class Encoder(nn.Module):
    """Base class of encoders: modules that compute frame embeddings from features.

    An encoder is built as `encoder(n_bands)`. It states `dim` and `stride` (time steps of the features per frame). In
    eval mode, the embeddings of a clip do not depend on its padding. An encoder that also returns embeddings at other
    frame rates states their dim and stride in `levels`. `trained_rate` is the sample rate (Hz) of the audio that
    pretrained weights were trained on; None if it is not known, or if `trained_with` says more. `beside` must
    equal that of the frontend.

    >>> from wsed.models import CRNN
    >>> encoder = CRNN(n_bands=64)
    >>> encoder.dim, encoder.stride
    (64, 1)
    >>> encoder.trained_with() is None
    True
    """

    dim: int
    stride: int
    levels: tuple[tuple[int, int], ...] = ()
    trained_rate: int | None = None
    beside: tuple[int, int] | None = None

    @classmethod
    def example(cls) -> "tuple[EncoderFactory, Frontend | None]":
        """A factory of a small encoder for tests, and the frontend that it needs; None if any frontend will do."""
        return cls, None

    def trained_with(self) -> Frontend | None:
        """The frontend that pretrained weights need; None if there are none, or if any frontend will do."""
        return None

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        """Frame embeddings, one per `stride` time steps; all frames hold signal if `valid` is None."""
        raise NotImplementedError


class Head(nn.Module):
    """Base class of heads: modules that compute scores from frame embeddings.

    A head is built as `head(dim, n_labels)`. `provides` names the fields of `Output` that it fills.

    >>> from wsed.models import Framewise
    >>> "frame_logits" in Framewise(dim=4, n_labels=2).provides
    True
    """

    provides: frozenset[str] = frozenset()

    def forward(self, encoded: Encoded) -> Output:
        """An output with the fields in `provides`."""
        raise NotImplementedError


class Network(nn.Module):
    """Base class of networks: modules that compute an output from a batch.

    A network states `labels`, `sample_rate` (Hz), `frame_rate` (of its output, frames per second) and `provides`: the
    fields of `Output` that it fills.

    >>> from wsed.models import Composed
    >>> network = Composed.example(Labels(["dog", "cat"]))
    >>> network.sample_rate, network.frame_rate
    (8000, 50.0)
    >>> network.after_step()
    >>> from wsed.testing import batch
    >>> network.check_lengths(batch())
    """

    labels: Labels
    sample_rate: int
    frame_rate: float
    provides: frozenset[str]

    @classmethod
    def example(cls, labels: Labels) -> "Network":
        """A small network of this class, for tests."""
        return cls(labels)

    def forward(self, batch: Batch) -> Output:
        """The predictions for the clips of a batch."""
        raise NotImplementedError

    def check_lengths(self, batch: Batch) -> None:
        """Refuse clips that are shorter than one frame; the data module calls it while the batch is on the CPU.

        A network that contains networks asks each of them.
        """
        for part in networks_in(self):
            part.check_lengths(batch)

    def after_step(self) -> None:
        """Update what changes once per optimiser step, such as a running mean of weights; `SEDTask` calls it.

        A network that contains networks calls it on each of them.
        """
        for part in networks_in(self):
            part.after_step()


def networks_in(module: nn.Module) -> Iterator[Network]:
    """The networks in a module, also those in lists of modules, but not those in these networks.

    >>> from wsed.models import Composed
    >>> network = Composed.example(Labels(["dog"]))
    >>> [part is network for part in networks_in(nn.ModuleList([nn.ModuleList([network]), nn.ReLU()]))]
    [True]
    """
    for part in module.children():
        if isinstance(part, Network):
            yield part
        else:
            yield from networks_in(part)


EncoderFactory = Callable[[int], Encoder]
HeadFactory = Callable[[int, int], Head]
NetworkFactory = Callable[[Labels], Network]

FRONTENDS: Registry[type[Frontend]] = Registry("frontend", "wsed.models", Frontend)
ENCODERS: Registry[type[Encoder]] = Registry("encoder", "wsed.models", Encoder, n_leading=1)
HEADS: Registry[type[Head]] = Registry("head", "wsed.models", Head, n_leading=2)
NETWORKS: Registry[type[Network]] = Registry("network", "wsed.models", Network, n_leading=1, default="composed")
