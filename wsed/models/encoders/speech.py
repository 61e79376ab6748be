"""Speech encoders that read waveforms (wav2vec 2.0, HuBERT, WavLM), from the package transformers."""

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsed.errors import WsedError, near
from wsed.literals import checked
from wsed.models.base import ENCODERS, Encoder, EncoderFactory, Frontend
from wsed.models.frontends import Waveform
from wsed.spec import StartingWeights
from wsed.types import Encoded

if TYPE_CHECKING:  # an extra
    from transformers import PretrainedConfig

Architecture = Literal["wav2vec2", "hubert", "wavlm"]
"""Names of the architectures in transformers; each reads a waveform and returns one frame per stride."""

WHOLE = {"layerdrop": 0.0, "mask_time_prob": 0.0, "mask_feature_prob": 0.0, "apply_spec_augment": False}
"""Defaults that train every weight in every step, so that all ranks have the same gradients."""

SHAPES = ("conv_", "do_stable", "feat_extract_", "hidden_act", "hidden_size", "intermediate_size", "max_bucket", "num_")
"""Prefixes of the settings that change what a model computes; other settings concern training and other tasks."""


@ENCODERS.register("wav2vec2")
class Wav2Vec2(Encoder):
    """wav2vec 2.0 (Baevski et al. 2020), HuBERT or WavLM, on the frontend `waveform`. Needs the extra `speech`.

    With the released strides, a frame is 320 samples: 50 frames per second at 16 kHz. Frame `i` is centred on the
    samples `[320 i, 320 (i + 1))`. Clips of different lengths are computed separately, one length at a time, since
    some of these models normalise over time and padding would change the result. Tao et al. 2023 name wav2vec 2.0 as
    future work.

    Args:
        n_bands: 1, the waveform.
        architecture: `wav2vec2`, `hubert` or `wavlm`.
        config: settings of the configuration in transformers that differ from its defaults (the base model). Masking
            and layer drop in training are off by default.
        pretrained: folder with weights, as written by `save_pretrained`; nothing is downloaded. Random weights if None.
        freeze: do not train the weights; the encoder then stays in eval mode.

    Raises:
        WsedError: transformers is not installed, the architecture or a setting in `config` is unknown, the frontend
            is not `waveform`, or the folder has no weights or weights of another configuration.
    """

    def __init__(
        self,
        n_bands: int,
        architecture: Architecture = "wav2vec2",
        config: dict[str, Any] | None = None,
        pretrained: StartingWeights = None,
        freeze: bool = False,
    ) -> None:
        super().__init__()
        if n_bands != 1:
            raise WsedError(f"encoder wav2vec2 takes the waveform, not {n_bands} bands; give `frontend: waveform`")
        settings = configuration(architecture, config or {})
        self.model = random_model(settings) if pretrained is None else pretrained_model(settings, pretrained)
        self.frozen = freeze
        if freeze:
            self.model.requires_grad_(requires_grad=False)
        self.dim, self.stride = int(settings.hidden_size), math.prod(settings.conv_stride)
        field = 1  # receptive field of a frame in samples
        for kernel, stride in zip(reversed(settings.conv_kernel), reversed(settings.conv_stride), strict=True):
            field = (field - 1) * stride + kernel
        beyond = field - self.stride
        self._pad = (beyond // 2, beyond - beyond // 2)

    @classmethod
    def example(cls) -> tuple[EncoderFactory, Frontend | None]:
        """A model with two layers of 16 dimensions, and the frontend `waveform`."""
        sizes: dict[str, int | list[int]] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
        sizes |= {"intermediate_size": 16, "conv_dim": [8, 8], "conv_kernel": [10, 4], "conv_stride": [5, 4]}
        return partial(cls, config=sizes | {"num_conv_pos_embedding_groups": 2}), Waveform()

    def train(self, mode: bool = True) -> "Wav2Vec2":
        """A frozen model stays in eval mode."""
        super().train(mode)
        if self.frozen:
            self.model.eval()
        return self

    def forward(self, features: Float[Tensor, "clip 1 sample"], valid: Bool[Tensor, "clip sample"] | None) -> Encoded:
        if valid is None:
            audio = F.pad(features[:, 0], self._pad)
            frames = self.model(audio).last_hidden_state.to(features.dtype)
            return Encoded(frames, torch.ones(frames.shape[:2], dtype=torch.bool, device=frames.device))
        lengths = valid.sum(1)
        n_frames = features.shape[2] // self.stride
        frames = features.new_zeros(len(features), n_frames, self.dim)
        for n in sorted(set(lengths.tolist())):
            if n >= self.stride:
                alike = lengths == n
                audio = F.pad(features[alike, 0, :n], self._pad)
                frames[alike, : n // self.stride] = self.model(audio).last_hidden_state.to(frames.dtype)
        whole = torch.arange(n_frames, device=lengths.device) < (lengths // self.stride)[:, None]
        return Encoded(frames, whole)


@checked(owner="encoder wav2vec2")
def configuration(architecture: Architecture, values: dict[str, object]) -> "PretrainedConfig":
    """The configuration of an architecture in transformers.

    Args:
        architecture: its name.
        values: settings that differ from the defaults.

    Raises:
        WsedError: transformers is not installed, or the architecture or the name of a setting is unknown.
    """
    try:
        from transformers import AutoConfig
    except ImportError:
        raise WsedError("encoder wav2vec2 needs transformers: pip install 'wsed[speech]'") from None
    defaults = AutoConfig.for_model(architecture).to_dict()
    for name in values:
        if name not in defaults:
            raise WsedError(f"encoder: {architecture} has no value {name!r} in its config{near(name, defaults)}")
    try:
        return AutoConfig.for_model(architecture, **{**WHOLE, **values})
    except Exception as error:  # its checks raise errors of several packages
        raise WsedError(f"encoder: config of {architecture}: {error}") from None


def random_model(config: "PretrainedConfig") -> nn.Module:
    """A model with random weights.

    Raises:
        WsedError: a value of the configuration is not possible.
    """
    from transformers import AutoModel

    try:
        model: nn.Module = AutoModel.from_config(config)
    except ValueError as error:
        raise WsedError(f"encoder: config of {config.model_type}: {error}") from None
    return model


def pretrained_model(config: "PretrainedConfig", folder: str) -> nn.Module:
    """A model with the weights of a folder, which must have this configuration.

    The configuration is not read from the folder, so that a checkpoint of `wsed fit` is enough to build the network on
    a machine without the folder.

    Args:
        config: the configuration.
        folder: a folder that `save_pretrained` of transformers wrote.

    Raises:
        WsedError: the folder has no model of transformers, its configuration differs, or some weights are missing.
    """
    from transformers import AutoConfig, AutoModel

    if not Path(folder).is_dir():
        raise WsedError(f"pretrained: no such folder: {folder}")
    try:
        saved = AutoConfig.from_pretrained(folder, local_files_only=True).to_dict()
    except (OSError, ValueError) as error:
        raise WsedError(f"{folder} holds no model of transformers: {str(error)[:300]}") from None
    wanted = config.to_dict()
    if saved["model_type"] != wanted["model_type"]:
        raise WsedError(f"{folder} holds a {saved['model_type']}; give `architecture: {saved['model_type']}`")
    other = {k: saved[k] for k in wanted if k.startswith(SHAPES) and _plain(saved.get(k)) != _plain(wanted[k])}
    if other:
        raise WsedError(f"the weights in {folder} are of another configuration; give `config: {other}`")
    try:
        loaded, info = AutoModel.from_pretrained(
            folder, config=config, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise WsedError(f"{folder}: {str(error)[:300]}") from None
    if info["missing_keys"]:
        raise WsedError(f"the weights in {folder} lack {', '.join(sorted(info['missing_keys'])[:3])}")
    model: nn.Module = loaded
    return model


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
