"""A CRNN whose convolutions have a pretrained encoder beside them."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, EncoderFactory, Frontend
from wsed.models.encoders.blocks import Activation
from wsed.models.encoders.cnn import CNN
from wsed.models.encoders.crnn import CRNN
from wsed.models.encoders.pretrained import check_frontend, encoded_short
from wsed.models.frontends import LogMel, Waveform
from wsed.models.init import keras_init
from wsed.ops.grid import padding, whole_frames
from wsed.types import Encoded


@ENCODERS.register("fusion")
class Fusion(CRNN):
    """A CRNN with the embeddings of a pretrained encoder beside its convolutions. Needs the frontend `waveform`.

    Each frame of the convolutions gets the embedding at its time. A dense layer maps both to as many values as the
    convolutions have, and the GRUs follow: the baseline of DCASE 2023 task 4 with BEATs, and ATST-SED (Shao et al.
    2024). Both parts compute their own features from the waveform, so augmentations must be those of audio.

    Args:
        n_bands: 1, the samples.
        pretrained_encoder: the pretrained encoder, with its weights; `freeze: true` there keeps them as they are.
        pretrained_frontend: the frontend that it was trained with.
        frontend: frontend of the convolutions; `LogMel` with its defaults if None.
        activation: as in `CRNN`, as are the arguments after it.

    Raises:
        WsedError: the frontend is not the waveform, the frontends have different sample rates, or the pretrained
            encoder was trained with another frontend.

    >>> beside = partial(CNN, channels=2, pools=[(4, 4)])
    >>> encoder = Fusion(1, beside, LogMel(8000, 64, 16, 16), LogMel(8000, 64, 8, 16), channels=4, pools=[(2, 4)])
    >>> encoder(torch.randn(2, 1, 640), None).frames.shape, encoder.stride
    (torch.Size([2, 40, 64]), 16)
    """

    def __init__(
        self,
        n_bands: int,
        pretrained_encoder: EncoderFactory,
        pretrained_frontend: Frontend,
        frontend: Frontend | None = None,
        activation: Activation = "relu",
        channels: int | Sequence[int] = 64,
        pools: Sequence[Sequence[int]] = ((1, 4), (1, 4), (1, 4)),
        gru: int = 64,
        dense: int | None = 64,
        conv_dropout: float = 0.0,
        dropout: float = 0.1,
        layers: int = 1,
    ) -> None:
        frontend = LogMel() if frontend is None else frontend
        rate = frontend.sample_rate
        if n_bands != 1:
            raise WsedError(
                f"encoder fusion takes the waveform, not {n_bands} bands; give `frontend: {{class_path: waveform, "
                f"init_args: {{sample_rate: {rate}, normalise: false}}}}`"
            )
        if pretrained_frontend.sample_rate != rate:
            raise WsedError(
                f"encoder fusion: frontend is of {rate} Hz, pretrained_frontend of {pretrained_frontend.sample_rate} "
                "Hz; give both the sample rate that the pretrained encoder needs"
            )
        super().__init__(frontend.n_bands, activation, channels, pools, gru, dense, conv_dropout, dropout, layers)
        self.frontend, self.pretrained_frontend = frontend, pretrained_frontend
        self.pretrained_encoder = pretrained_encoder(pretrained_frontend.n_bands)
        check_frontend(self.pretrained_encoder, pretrained_frontend, setting="pretrained_frontend")
        self.join = nn.Linear(self.blocks.dim + self.pretrained_encoder.dim, self.blocks.dim)
        keras_init(self.join)
        self.stride = round(rate / frontend.frame_rate) * self.blocks.stride
        self._step = round(rate / pretrained_frontend.frame_rate) * self.pretrained_encoder.stride

    @classmethod
    def example(cls) -> tuple[EncoderFactory, Frontend | None]:
        """A small CRNN with a small CNN beside its convolutions."""
        factory = partial(
            cls,
            pretrained_encoder=partial(CNN, channels=2, pools=[(4, 4)]),
            pretrained_frontend=LogMel(8000, 64, 16, 16),
            frontend=LogMel(8000, 64, 8, 16),
            channels=4,
            pools=[(2, 4)],
            gru=4,
            dense=8,
        )
        return factory, Waveform(8000, normalise=False)

    def trained_with(self) -> Frontend | None:
        """The waveform as it is, at the sample rate of both frontends."""
        return Waveform(self.frontend.sample_rate, normalise=False)

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        padded, valid = padding(valid, features)
        audio = features[:, 0] * valid if padded else features[:, 0]
        n_samples, n_frames = valid.sum(1), features.shape[2] // self.stride
        bands, signal = self.frontend(audio, n_samples)
        frames, signal = self.blocks(bands, signal if padded else None)
        beside = self._beside(audio, n_samples, n_frames, padded)
        joined = self.join(torch.cat([frames[:, :n_frames], beside.to(frames.dtype)], dim=2))
        # the frontend also marks the frame at the end of a clip, which a clip alone does not have
        return self.recurrent(joined, signal[:, :n_frames] & whole_frames(valid, self.stride), padded)

    def _beside(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"], n_frames: int, padded: bool
    ) -> Float[Tensor, "clip frame dim"]:
        """The embedding at the middle of each frame; the last one for frames after it, zeros in clips without one."""
        bands, signal = self.pretrained_frontend(audio, n_samples)
        encoded = encoded_short(self.pretrained_encoder, bands, signal if padded else None)
        return at_middle(encoded.frames, encoded.valid.sum(1), n_frames, self.stride, self._step)


def at_middle(
    embeddings: Float[Tensor, "clip frame dim"], known: Int[Tensor, " clip"], n_frames: int, stride: int, step: int
) -> Float[Tensor, "clip frame2 dim"]:
    """For each of `n_frames` frames, the embedding at its middle.

    Frames after the last embedding of a clip get the last one; clips without embeddings get zeros.

    Args:
        embeddings: the embeddings.
        known: number of embeddings of each clip that hold signal; they come first.
        n_frames: number of frames.
        stride: length of a frame, in any unit.
        step: length of an embedding, in the same unit.

    >>> at_middle(torch.tensor([[[1.0], [2.0]]]), torch.tensor([2]), n_frames=5, stride=2, step=4)[0, :, 0]
    tensor([1., 1., 2., 2., 2.])
    """
    if embeddings.shape[1] == 0:
        return embeddings.new_zeros(embeddings.shape[0], n_frames, embeddings.shape[2])
    middle = (2 * torch.arange(n_frames, device=embeddings.device) + 1) * stride
    place = torch.minimum(middle // (2 * step), (known[:, None] - 1).clamp(min=0))
    at_place = embeddings.gather(1, place[..., None].expand(-1, -1, embeddings.shape[2]))
    return at_place * (known > 0)[:, None, None]
