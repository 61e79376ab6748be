"""Wav2Vec2-BERT, from the package transformers, and its frontend."""

from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, FRONTENDS, EncoderFactory, Frontend
from wsed.models.encoders.pretrained import Pretrained, encoded_by_length
from wsed.models.encoders.transformers_models import configuration, feature_extractor, model_of
from wsed.models.fbank import FBank
from wsed.models.init import to_read
from wsed.spec import StartingWeights
from wsed.types import Encoded

ARCHITECTURE = "wav2vec2-bert"
"""The name of the encoder in transformers."""


@FRONTENDS.register("wav2vec2_bert")
class Wav2Vec2BertFeatures(FBank):
    """The features of the encoder `wav2vec2_bert`: `fbank` at 16 kHz, each band of a clip with mean 0 and variance 1.

    They are computed as for SeamlessM4T. Incomplete windows at the end of a clip do not count for mean and variance.

    Args:
        n_bands: number of mel bands.

    >>> Wav2Vec2BertFeatures()(torch.randn(1, 16000), torch.tensor([16000]))[0].shape
    torch.Size([1, 80, 100])
    """

    def __init__(self, n_bands: int = 80) -> None:
        super().__init__(16000, n_bands, "povey", 32768.0, 0.0, 0.5)
        self.decibel = None  # a louder clip has the same features

    def forward(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        features, valid = super().forward(audio, n_samples)
        whole = ((n_samples - self.size) // self.hop + 1).clamp(min=1)[:, None]
        counts = (torch.arange(features.shape[2], device=audio.device) < whole)[:, None]
        mean = (features * counts).sum(2, keepdim=True) / whole[:, None]
        centred = features - mean
        variance = (centred.square() * counts).sum(2, keepdim=True) / (whole[:, None] - 1).clamp(min=1)
        return torch.where(valid[:, None], centred / (variance + 1e-7).sqrt(), 0.0), valid


@ENCODERS.register("wav2vec2_bert")
class Wav2Vec2Bert(Pretrained):
    """Wav2Vec2-BERT (Barrault et al. 2023, SeamlessM4T): 50 frames per second. Needs the extra `speech`.

    Two frames of the features make one frame of the encoder. Clips of different lengths are computed separately, one
    length at a time. Weights need the frontend `wav2vec2_bert`.

    Args:
        n_bands: number of bands of the features.
        config: settings of the configuration in transformers that differ from its defaults. Masking and layer drop in
            training are off by default.
        pretrained: folder with weights, as written by `save_pretrained`; nothing is downloaded. Random weights if None.
        freeze: do not train the weights.

    Raises:
        WsedError: transformers is not installed, a setting in `config` is unknown or `add_adapter`, the numbers of
            bands differ, or the folder has no weights or weights of another configuration.
    """

    stride = 2

    def __init__(
        self,
        n_bands: int,
        config: dict[str, object] | None = None,
        pretrained: StartingWeights = None,
        freeze: bool = False,
    ) -> None:
        super().__init__()
        settings = configuration(ARCHITECTURE, config or {}, "wav2vec2_bert")
        bands = settings.feature_projection_input_dim // self.stride
        if bands != n_bands:
            raise WsedError(
                f"encoder wav2vec2_bert has {bands} bands in its config (half of feature_projection_input_dim), the "
                f"frontend has {n_bands}; give `frontend: {{class_path: wav2vec2_bert, init_args: {{n_bands: "
                f"{bands}}}}}`"
            )
        if settings.add_adapter:
            raise WsedError("encoder wav2vec2_bert has no adapter: leave add_adapter out of config")
        folder = to_read(pretrained)
        self.model = model_of(settings, folder)
        if folder is not None:
            feature_extractor(folder, sampling_rate=16000, num_mel_bins=n_bands, stride=self.stride)
        self.dim, self.n_bands = int(settings.hidden_size), n_bands
        self.begin(pretrained, freeze)

    @classmethod
    def example(cls) -> tuple[EncoderFactory, Frontend | None]:
        """A model with two layers of 16 dimensions, and its frontend."""
        sizes: dict[str, object] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
        sizes |= {"intermediate_size": 16, "conv_depthwise_kernel_size": 3, "feature_projection_input_dim": 160}
        return partial(cls, config=sizes), Wav2Vec2BertFeatures()

    def trained_with(self) -> Frontend | None:
        """The frontend `wav2vec2_bert` if there are pretrained weights."""
        return Wav2Vec2BertFeatures(self.n_bands) if self.pretrained else None

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        return encoded_by_length(self, self._frames, features, valid)

    def _frames(self, features: Float[Tensor, "clip band frame"]) -> Tensor:
        n = features.shape[2] // self.stride
        pairs = features[:, :, : n * self.stride].transpose(1, 2).reshape(features.shape[0], n, -1)
        frames: Tensor = self.model(pairs).last_hidden_state
        return frames
