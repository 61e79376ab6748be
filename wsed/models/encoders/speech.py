"""Speech encoders that read waveforms (wav2vec 2.0, HuBERT, WavLM), from the package transformers."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, EncoderFactory, Frontend
from wsed.models.encoders.pretrained import Pretrained, encoded_by_length
from wsed.models.encoders.transformers_models import (
    configuration,
    encoder_for,
    feature_extractor,
    model_of,
    reads_waveform,
)
from wsed.models.frontends import Waveform
from wsed.models.init import to_read
from wsed.spec import StartingWeights, name_of
from wsed.types import Encoded

RATE = 16000
"""Sample rate of the audio that published models were trained on, Hz."""


@ENCODERS.register("wav2vec2")
class Wav2Vec2(Pretrained):
    """wav2vec 2.0 (Baevski et al. 2020), HuBERT, WavLM and others on the frontend `waveform`. Needs the extra `speech`.

    With the released strides, a frame is 320 samples: 50 frames per second at 16 kHz. Frame `i` is centred on the
    samples `[320 i, 320 (i + 1))`. Clips of different lengths are computed separately, one length at a time, since
    some of these models normalise over time and padding would change the result. Tao et al. 2023 name wav2vec 2.0 as
    future work.

    Args:
        n_bands: 1, the waveform.
        architecture: name in transformers of a model that reads waveforms: `wav2vec2`, `hubert`, `wavlm`, `unispeech`,
            `unispeech-sat`, `data2vec-audio`, `wav2vec2-conformer`, `sew`, `sew-d`, or one of a later version.
        config: settings of the configuration in transformers that differ from its defaults (the base model). Masking
            and layer drop in training are off by default.
        pretrained: folder with weights, as written by `save_pretrained`; nothing is downloaded. Random weights if None.
        freeze: do not train the weights; the encoder then stays in eval mode.

    Raises:
        WsedError: transformers is not installed, the architecture or a setting in `config` is unknown, `config` has
            `add_adapter`, the frontend is not `waveform`, or the folder has no weights or weights of another
            configuration.
    """

    def __init__(
        self,
        n_bands: int,
        architecture: str = "wav2vec2",
        config: dict[str, object] | None = None,
        pretrained: StartingWeights = None,
        freeze: bool = False,
    ) -> None:
        super().__init__()
        if n_bands != 1:
            name = name_of(type(self))
            raise WsedError(f"{name} takes the waveform, not {n_bands} bands; give `frontend: waveform`")
        settings = configuration(architecture, config or {}, name_of(type(self)).removeprefix("encoder "))
        if not reads_waveform(settings):
            raise WsedError(f"encoder wav2vec2: {architecture} does not read a waveform; {encoder_for(architecture)}")
        if settings.to_dict().get("add_adapter"):  # it would leave one frame of eight
            raise WsedError(f"{name_of(type(self))} has no adapter: leave add_adapter out of config")
        folder = to_read(pretrained)
        self.model = model_of(settings, folder)
        _drop_unused(self.model, settings)
        self.wanted = None if folder is None else trained_frontend(Path(folder))
        self.trained_rate = None if pretrained is None else RATE
        self.dim, self.stride = int(settings.hidden_size), math.prod(settings.conv_stride)
        self._least = self.stride * int(settings.to_dict().get("squeeze_factor", 1))  # sew pools frames first
        field = 1  # receptive field of a frame in samples
        for kernel, stride in zip(reversed(settings.conv_kernel), reversed(settings.conv_stride), strict=True):
            field = (field - 1) * stride + kernel
        beyond = field - self.stride
        self._pad = (beyond // 2, beyond - beyond // 2)
        self.begin(pretrained, freeze)

    @classmethod
    def example(cls) -> tuple[EncoderFactory, Frontend | None]:
        """A model with two layers of 16 dimensions, and the frontend `waveform`."""
        sizes: dict[str, object] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
        sizes |= {"intermediate_size": 16, "conv_dim": [8, 8], "conv_kernel": [10, 4], "conv_stride": [5, 4]}
        return partial(cls, config=sizes | {"num_conv_pos_embedding_groups": 2}), Waveform()

    def trained_with(self) -> Frontend | None:
        """The frontend `waveform` as the feature extractor in the folder of the weights describes it.

        Without its file, which `save_pretrained` of a model does not write, only the sample rate is known.
        """
        return None if self.wanted is None else Waveform(*self.wanted)

    def forward(self, features: Float[Tensor, "clip 1 sample"], valid: Bool[Tensor, "clip sample"] | None) -> Encoded:
        return encoded_by_length(self, self._frames, features, valid)

    def _frames(self, features: Float[Tensor, "clip 1 sample"]) -> Tensor:
        samples = features[:, 0]
        if not torch.compiler.is_exporting() and samples.shape[1] < self._least:
            samples = F.pad(samples, (0, self._least - samples.shape[1]))
        frames: Tensor = self.model(F.pad(samples, self._pad)).last_hidden_state
        return frames


@ENCODERS.register("hubert")
class HuBERT(Wav2Vec2):
    """HuBERT (Hsu et al. 2021): the encoder `wav2vec2` with `architecture: hubert`. Needs the extra `speech`.

    With the released strides, there are 50 frames per second at 16 kHz.

    Args:
        n_bands: 1, the waveform.
        config: settings of the configuration in transformers that differ from its defaults (the base model); dimensions
            are numbers of features, strides and kernels of the first convolution samples.
        pretrained: folder with weights, as written by `save_pretrained`; nothing is downloaded. Random weights if None.
        freeze: do not train the weights; the encoder then stays in eval mode.

    Raises:
        WsedError: transformers is not installed, a setting in `config` is unknown, the frontend is not `waveform`, or
            the folder has no weights or weights of another configuration.
    """

    def __init__(
        self,
        n_bands: int,
        config: dict[str, object] | None = None,
        pretrained: StartingWeights = None,
        freeze: bool = False,
    ) -> None:
        super().__init__(n_bands, "hubert", config, pretrained, freeze)


@ENCODERS.register("wavlm")
class WavLM(Wav2Vec2):
    """WavLM (Chen et al. 2022): the encoder `wav2vec2` with `architecture: wavlm`. Needs the extra `speech`.

    With the released strides, there are 50 frames per second at 16 kHz.

    Args:
        n_bands: 1, the waveform.
        config: settings of the configuration in transformers that differ from its defaults (the base model); dimensions
            are numbers of features, strides and kernels of the first convolution samples.
        pretrained: folder with weights, as written by `save_pretrained`; nothing is downloaded. Random weights if None.
        freeze: do not train the weights; the encoder then stays in eval mode.

    Raises:
        WsedError: transformers is not installed, a setting in `config` is unknown or `add_adapter`, the frontend is
            not `waveform`, or the folder has no weights or weights of another configuration.
    """

    def __init__(
        self,
        n_bands: int,
        config: dict[str, object] | None = None,
        pretrained: StartingWeights = None,
        freeze: bool = False,
    ) -> None:
        super().__init__(n_bands, "wavlm", config, pretrained, freeze)


def _drop_unused(model: Any, settings: Any) -> None:
    """Drop weights that no step trains: several processes would wait for their gradients."""
    if settings.model_type == "unispeech-sat" and not (settings.mask_time_prob or settings.mask_feature_prob):
        model.masked_spec_embed = None
    if settings.model_type == "wav2vec2-conformer":  # it is built, but positions are relative or rotary
        model.encoder.pos_conv_embed = None


def trained_frontend(folder: Path) -> tuple[int, bool] | None:
    """Sample rate of the audio that the weights of a folder were trained on, and whether it was normalised.

    None if the folder does not say.
    """
    facts = feature_extractor(folder)
    return None if facts is None else (int(facts.get("sampling_rate", RATE)), bool(facts.get("do_normalize", True)))
