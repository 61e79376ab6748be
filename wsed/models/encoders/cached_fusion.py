"""A CRNN that reads frozen, cached embeddings beside its convolutions, and the frontend that computes them."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from wsed.errors import WsedError
from wsed.learning import TrainingSet
from wsed.models.base import ENCODERS, FRONTENDS, EncoderFactory, Frontend, ceil_div
from wsed.models.embeddings import Embeddings
from wsed.models.encoders.blocks import Activation
from wsed.models.encoders.cnn import CNN
from wsed.models.encoders.crnn import CRNN
from wsed.models.encoders.fusion import at_middle
from wsed.models.frontends import LogMel
from wsed.models.init import keras_init
from wsed.ops.grid import padding
from wsed.spec import name_of
from wsed.types import Encoded


@FRONTENDS.register("cached_fusion")
class FusionFeatures(Frontend):
    """Frequency bands, and frozen embeddings beside them, for the encoder `cached_fusion`.

    The reader `features` computes both once and caches them. One embedding lasts `step` frames. It is stored in `step`
    pieces, one per frame, instead of `step` times.

    Args:
        beside: frontend of the embeddings, usually `embeddings`.
        frontend: frontend of the bands; `LogMel` with its defaults if None.

    Raises:
        WsedError: the sample rates differ, or an embedding does not last a whole number of frames; in `learn`: a
            frontend must learn from the training set.

    >>> frontend = FusionFeatures(LogMel(8000, 64, 32, 10), LogMel(8000, 64, 8, 16))
    >>> frontend.beside  # 10 values for 4 frames
    (10, 4)
    >>> frontend(torch.randn(2, 640), torch.tensor([640, 320]))[0].shape
    torch.Size([2, 19, 81])
    """

    def __init__(self, beside: Frontend, frontend: Frontend | None = None) -> None:
        super().__init__()
        self.frontend = LogMel() if frontend is None else frontend
        self.embeddings, self.sample_rate = beside, self.frontend.sample_rate
        if beside.sample_rate != self.sample_rate:
            raise WsedError(
                f"frontend cached_fusion: frontend is of {self.sample_rate} Hz, beside of {beside.sample_rate} Hz; "
                "give both the sample rate that the embeddings need"
            )
        hop, step = (round(self.sample_rate / each.frame_rate) for each in (self.frontend, beside))
        if step % hop:
            near = sorted((n for n in range(1, step + 1) if step % n == 0), key=lambda n: abs(n - hop))[:2]
            raise WsedError(
                f"frontend cached_fusion: an embedding lasts {step} samples, a frame {hop}, which is no whole number "
                f"of frames; set hop_length of frontend to {' or '.join(map(str, near))}"
            )
        self.beside = beside.n_bands, step // hop
        self.n_bands = self.frontend.n_bands + ceil_div(*self.beside)
        self.frame_rate, self.axis = self.frontend.frame_rate, self.frontend.axis

    @property
    def learned(self) -> bool:
        """Whether both frontends are ready for use."""
        return self.frontend.learned and self.embeddings.learned

    def learn(self, train: TrainingSet) -> None:
        """Refuse frontends that must see the training set first."""
        for part in (self.frontend, self.embeddings):
            if not part.learned:
                raise WsedError(
                    f"frontend cached_fusion: {name_of(type(part))} must learn from the training set first; give a "
                    "frontend that need not (logmel, not standardised), and `pretrained` of embeddings"
                )

    def forward(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        features, valid = self.raw(audio, n_samples)
        return self.finish(features), valid

    def raw(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        """The features before `finish`, which do not depend on training, and the frames that hold signal."""
        bands, valid = self.frontend.raw(audio, n_samples)
        embeddings, known = self.embeddings(audio, n_samples)
        n, (_, step) = bands.shape[2], self.beside
        filled = at_middle(embeddings.transpose(1, 2), known.sum(1), ceil_div(n, step), 1, 1)
        return torch.cat([bands, cut(filled, step)[:, :, :n]], dim=1), valid

    def finish(self, features: Float[Tensor, "clip band frame"]) -> Float[Tensor, "clip band frame"]:
        """The features of `forward`: the bands go through `finish` of their frontend, the embeddings do not change."""
        n = self.frontend.n_bands
        return torch.cat([self.frontend.finish(features[:, :n]), features[:, n:]], dim=1)

    def valid(self, n_samples: Int[Tensor, " clip"], n_frames: int) -> Bool[Tensor, "clip frame"]:
        """Frames of the bands that hold signal."""
        return self.frontend.valid(n_samples, n_frames)


@ENCODERS.register("cached_fusion")
class CachedFusion(CRNN):
    """The encoder `fusion` on features that can be cached: the pretrained encoder is frozen and part of the frontend.

    It needs the frontend `cached_fusion`. Its weights have the same names as in `fusion`, so a second stage with that
    encoder can start from them; `fusion` reads the pretrained weights from its own file.

    Args:
        n_bands: number of bands of the features.
        beside_dim: number of values of an embedding.
        beside_step: number of frames per embedding.
        activation: as in `CRNN`, as are the arguments after it.

    Raises:
        WsedError: the features have no bands beside the embeddings, or `beside_dim` or `beside_step` is below 1.

    >>> encoder = CachedFusion(19, beside_dim=10, beside_step=4, channels=4, pools=[(2, 4)])
    >>> encoder(torch.randn(2, 19, 81), None).frames.shape
    torch.Size([2, 40, 64])
    """

    def __init__(
        self,
        n_bands: int,
        beside_dim: int,
        beside_step: int,
        activation: Activation = "relu",
        channels: int | Sequence[int] = 64,
        pools: Sequence[Sequence[int]] = ((1, 4), (1, 4), (1, 4)),
        gru: int = 64,
        dense: int | None = 64,
        conv_dropout: float = 0.0,
        dropout: float = 0.1,
        layers: int = 1,
    ) -> None:
        if min(beside_dim, beside_step) < 1:
            raise WsedError("encoder cached_fusion: beside_dim and beside_step must be 1 or more")
        own = n_bands - ceil_div(beside_dim, beside_step)
        if own < 1:
            raise WsedError(
                f"encoder cached_fusion: features of {n_bands} values per frame do not hold an embedding of "
                f"{beside_dim} values for {beside_step} frames; check beside_dim and beside_step, and that the "
                "frontend is cached_fusion"
            )
        try:
            super().__init__(own, activation, channels, pools, gru, dense, conv_dropout, dropout, layers)
        except WsedError as error:
            at = f"beside_dim ({beside_dim}) and beside_step ({beside_step}) leave {own} bands"
            raise WsedError(f"{error}; encoder cached_fusion: {at}") from None
        self.beside, self.own = (beside_dim, beside_step), own
        self.join = nn.Linear(self.blocks.dim + beside_dim, self.blocks.dim)
        keras_init(self.join)

    @classmethod
    def example(cls) -> tuple[EncoderFactory, Frontend | None]:
        """A small CRNN, and the embeddings of a small CNN."""
        factory = partial(cls, beside_dim=4, beside_step=4, channels=4, pools=[(2, 4)], gru=4, dense=8)
        beside = Embeddings(partial(CNN, channels=2, pools=[(4, 4)]), LogMel(8000, 64, 8, 8))
        return factory, FusionFeatures(beside, LogMel(8000, 64, 8, 16))

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        padded, valid = padding(valid, features)
        size, step = self.beside
        embeddings, known = joined(features[:, self.own :], step)[..., :size], valid.sum(1) // step
        frames, signal = self.blocks(features[:, : self.own], valid if padded else None)
        beside = at_middle(embeddings, known, frames.shape[1], self.blocks.stride, step)
        together = self.join(torch.cat([frames, beside.to(frames.dtype)], dim=2))
        return self.recurrent(together, signal, padded)


def cut(embeddings: Float[Tensor, "clip frame dim"], step: int) -> Float[Tensor, "clip piece frame2"]:
    """Embeddings, each cut into `step` pieces one after the other in time; zeros fill the last piece.

    >>> cut(torch.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]), step=2)
    tensor([[[1., 2., 4., 5.],
             [3., 0., 6., 0.]]])
    """
    n = ceil_div(embeddings.shape[2], step)
    clips, frames, dim = embeddings.shape
    whole = F.pad(embeddings, (0, n * step - dim))
    return whole.reshape(clips, frames, n, step).transpose(1, 2).flatten(2)


def joined(pieces: Float[Tensor, "clip piece frame2"], step: int) -> Float[Tensor, "clip frame dim"]:
    """Undo `cut`. The zeros at the end of each embedding stay; frames after the last whole embedding are dropped.

    >>> joined(cut(torch.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]), step=2), step=2)[..., :3]
    tensor([[[1., 2., 3.],
             [4., 5., 6.]]])
    """
    clips, size, frames = pieces.shape
    n = frames // step
    return pieces[:, :, : n * step].reshape(clips, size, n, step).transpose(1, 2).flatten(2)
