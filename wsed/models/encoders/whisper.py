"""The encoder of Whisper, from the package transformers, and its frontend."""

from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torchaudio.functional import melscale_fbanks

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, FRONTENDS, EncoderFactory, Frontend
from wsed.models.encoders.pieces import pieces
from wsed.models.encoders.pretrained import Pretrained
from wsed.models.encoders.transformers_models import configuration, feature_extractor, model_of
from wsed.models.init import to_read
from wsed.ops.grid import padding, whole_frames
from wsed.spec import StartingWeights
from wsed.types import Encoded

RATE, SIZE, HOP = 16000, 400, 160
"""Sample rate (Hz), samples of a Fourier transform, and samples from one frame of the features to the next."""

LEAST = -1.5
"""The features of digital silence: `(log10(1e-10) + 4) / 4`."""


@FRONTENDS.register("whisper")
class WhisperFeatures(Frontend):
    """The features of the encoder `whisper` (Radford et al. 2023): 100 frames per second at 16 kHz.

    They are `(log10(mel) + 4) / 4` of the power; values are at most 80 dB below the loudest one of the clip. The clip
    is continued by its mirror image before its beginning and by zeros after its end, as were clips below 30 s in the
    pretraining.

    Args:
        n_bands: number of mel bands up to 8 kHz: 80, and 128 for version 3 of the large model.

    Raises:
        WsedError: `n_bands` is not above 0.

    >>> WhisperFeatures()(torch.randn(1, 16000), torch.tensor([16000]))[0].shape
    torch.Size([1, 80, 100])
    """

    axis = "mel band"
    decibel = 0.1 / 4
    banks: Float[Tensor, "bin band"]
    window: Float[Tensor, " size"]

    def __init__(self, n_bands: int = 80) -> None:
        super().__init__()
        if n_bands < 1:
            raise WsedError(f"frontend whisper: n_bands must be 1 or more, not {n_bands}")
        self.sample_rate, self.n_bands, self.frame_rate = RATE, n_bands, RATE / HOP
        banks = melscale_fbanks(SIZE // 2 + 1, 0.0, 8000.0, n_bands, RATE, norm="slaney", mel_scale="slaney")
        self.register_buffer("banks", banks, persistent=False)
        self.register_buffer("window", torch.hann_window(SIZE), persistent=False)

    def forward(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        n_frames = audio.shape[1] // HOP
        with torch.autocast(audio.device.type, enabled=False):  # powers span 100 dB: bfloat16 would lose them
            x = F.pad(audio.float(), (0, 2 * SIZE))  # all frames that see a part of the clip
            x = torch.cat([x[:, 1 : SIZE // 2 + 1].flip(1), x], 1).unfold(1, SIZE, HOP)
            power = torch.fft.rfft(x * self.window).abs().square()
            mel = (power @ self.banks).clamp(min=1e-10).log10()
            features = (torch.maximum(mel, mel.amax((1, 2), keepdim=True) - 8) + 4) / 4
        return features[:, :n_frames].transpose(1, 2), self.valid(n_samples, n_frames)

    def valid(self, n_samples: Int[Tensor, " clip"], n_frames: int) -> Bool[Tensor, "clip frame"]:
        """Frames whose whole hop is in the clip."""
        return torch.arange(n_frames, device=n_samples.device) < (n_samples // HOP)[:, None]


@ENCODERS.register("whisper")
class Whisper(Pretrained):
    """The encoder of Whisper (Radford et al. 2023): 50 frames per second. Needs the extra `speech`.

    The weights were trained on pieces of 30 s, the last one filled with silence, and each position in a piece has an
    embedding of its own. By default, clips are computed in such pieces, so a clip of 10 s takes as long as one of 30 s.
    With `seconds`, pieces are shorter and use only the first embeddings. That takes less time, but is not what the
    weights were trained for. Weights need the frontend `whisper`.

    Args:
        n_bands: number of bands of the features.
        config: settings of the configuration in transformers that differ from its defaults (the tiny model); those of
            the decoder do not matter.
        pretrained: folder with weights, as written by `save_pretrained`; nothing is downloaded. Random weights if None.
        freeze: do not train the weights.
        seconds: length of a piece, s; None: 30 s, or as long as `max_source_positions` in `config` says.

    Raises:
        WsedError: transformers is not installed, a setting in `config` is unknown, the numbers of bands differ,
            `seconds` is out of its range, or the folder has no weights or weights of another configuration.
    """

    stride = 2

    def __init__(
        self,
        n_bands: int,
        config: dict[str, object] | None = None,
        pretrained: StartingWeights = None,
        freeze: bool = False,
        seconds: float | None = None,
    ) -> None:
        super().__init__()
        settings = configuration("whisper", config or {}, "whisper")
        if settings.num_mel_bins != n_bands:
            raise WsedError(
                f"encoder whisper has {settings.num_mel_bins} bands in its config, the frontend has {n_bands}; give "
                f"`frontend: {{class_path: whisper, init_args: {{n_bands: {settings.num_mel_bins}}}}}`"
            )
        rate, most = RATE / HOP / self.stride, int(settings.max_source_positions)
        self.positions = most if seconds is None else round(seconds * rate)
        if not 1 <= self.positions <= most:
            raise WsedError(f"encoder whisper: seconds must be from {1 / rate:g} to {most / rate:g}, not {seconds:g}")
        folder = to_read(pretrained)
        self.model = model_of(settings, folder)
        self.model.embed_positions = Positions(self.model.get_parameter("embed_positions.weight")[: self.positions])
        settings.max_source_positions = self.positions
        if folder is not None:
            feature_extractor(folder, sampling_rate=RATE, n_fft=SIZE, hop_length=HOP, feature_size=n_bands)
        self.dim, self.n_bands = int(settings.d_model), n_bands
        self.begin(pretrained, freeze)

    @classmethod
    def example(cls) -> tuple[EncoderFactory, Frontend | None]:
        """A model with two layers of 16 dimensions for pieces of 1 s, and its frontend."""
        sizes: dict[str, object] = {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2}
        sizes |= {"encoder_ffn_dim": 16, "max_source_positions": 50}
        return partial(cls, config=sizes), WhisperFeatures()

    def trained_with(self) -> Frontend | None:
        """The frontend `whisper` if there are pretrained weights."""
        return WhisperFeatures(self.n_bands) if self.pretrained else None

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        padded, valid = padding(valid, features)
        known = features.masked_fill(~valid[:, None], LEAST) if padded else features
        loudest = F.pad(known, (0, 1), value=LEAST).amax((1, 2))
        silence = (loudest - 2).clamp(min=LEAST)  # 80 dB below
        if padded:
            features = torch.where(valid[:, None], features, silence[:, None, None].to(features.dtype))
        length = self.positions * self.stride
        frames: Tensor = self.model(pieces(features, length, length, silence)).last_hidden_state
        frames = frames.reshape(features.shape[0], -1, self.dim)[:, : features.shape[2] // self.stride]
        return Encoded(frames, whole_frames(valid, self.stride))


class Positions(nn.Module):
    """The embeddings of the first positions in a piece, which are not trained.

    >>> Positions(torch.ones(3, 2))(torch.tensor([0])).tolist()
    [[1.0, 1.0]]
    """

    weight: Float[Tensor, "place dim"]

    def __init__(self, weight: Float[Tensor, "place dim"]) -> None:
        super().__init__()
        self.register_buffer("weight", weight.detach().clone())
        self.num_embeddings = len(weight)

    def forward(self, places: Int[Tensor, " place"]) -> Float[Tensor, "place dim"]:
        """The embeddings of some positions."""
        return self.weight[places]
