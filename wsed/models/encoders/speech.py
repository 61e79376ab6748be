"""Encoders of speech trained on waveforms (wav2vec 2.0, HuBERT, WavLM), from the package transformers."""

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, Encoder, EncoderFactory, Frontend
from wsed.models.frontends import Waveform
from wsed.registry import check_option, near
from wsed.spec import StartingWeights
from wsed.types import Encoded

if TYPE_CHECKING:  # an extra
    from transformers import PretrainedConfig

ARCHITECTURES = ("wav2vec2", "hubert", "wavlm")
"""As transformers calls them; each takes a waveform and gives a frame for each stride of its convolutions."""

WHOLE = {"layerdrop": 0.0, "mask_time_prob": 0.0, "mask_feature_prob": 0.0, "apply_spec_augment": False}
"""Every step trains every weight: processes then agree on gradients. Left to the user to turn on."""

SHAPES = ("conv_", "do_stable", "feat_extract_", "hidden_act", "hidden_size", "intermediate_size", "max_bucket", "num_")
"""Beginnings of the values that say what a model computes; others are of training and other tasks."""


@ENCODERS.register("wav2vec2")
class Wav2Vec2(Encoder):
    """wav2vec 2.0 and its relatives (Baevski et al. 2020), after the frontend `waveform`; named as future work by
    Tao et al. 2023. Needs the extra `speech`.

    With strides as released a frame is 320 samples: 50 frames per second at 16 kHz, frame `i` centred on its samples
    `[320 i, 320 (i + 1))`. Clips of different length go through one length at a time, so that nothing of the padding
    can reach a clip (some of these networks normalise over time).

    Args:
        n_bands: 1, the waveform.
        architecture: `wav2vec2`, `hubert` or `wavlm`.
        config: values of transformers' configuration of the architecture that differ from its defaults, the base
            model; of training, masking and dropping of layers are off unless given.
        pretrained: folder with weights, as `save_pretrained` leaves them; nothing is downloaded. Random if None.
        freeze: leave the weights as they are; the encoder then stays in eval mode.

    Raises:
        WsedError: transformers is not installed, the architecture or a value of `config` is unknown, the frontend
            does not give the waveform, or the folder holds no weights or those of another configuration.
    """

    def __init__(
        self,
        n_bands: int,
        architecture: str = "wav2vec2",
        config: dict[str, Any] | None = None,
        pretrained: StartingWeights = None,
        freeze: bool = False,
    ) -> None:
        super().__init__()
        if n_bands != 1:
            raise WsedError(f"encoder wav2vec2 takes the waveform, not {n_bands} bands; give `frontend: waveform`")
        wanted = configured(architecture, config or {})
        self.model = random_model(wanted) if pretrained is None else pretrained_model(wanted, pretrained)
        self.frozen = freeze
        if freeze:
            self.model.requires_grad_(requires_grad=False)
        self.dim, self.stride = int(wanted.hidden_size), math.prod(wanted.conv_stride)
        field = 1  # samples that a frame sees
        for kernel, stride in zip(reversed(wanted.conv_kernel), reversed(wanted.conv_stride), strict=True):
            field = (field - 1) * stride + kernel
        beyond = field - self.stride
        self._pad = (beyond // 2, beyond - beyond // 2)

    @classmethod
    def example(cls) -> tuple[EncoderFactory, Frontend | None]:
        """Two layers of 16 dimensions, on the waveform."""
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


def configured(architecture: str, values: dict[str, object]) -> "PretrainedConfig":
    """The configuration of an architecture; a `WsedError` if transformers is missing or a name is unknown."""
    try:
        from transformers import AutoConfig
    except ImportError:
        raise WsedError("encoder wav2vec2 needs transformers: pip install 'wsed[speech]'") from None
    check_option("encoder wav2vec2", "architecture", architecture, ARCHITECTURES)
    usual = AutoConfig.for_model(architecture).to_dict()
    for name in values:
        if name not in usual:
            raise WsedError(f"encoder: {architecture} has no value {name!r} in its config{near(name, usual)}")
    try:
        return AutoConfig.for_model(architecture, **{**WHOLE, **values})
    except Exception as error:  # its checks raise errors of several packages
        raise WsedError(f"encoder: config of {architecture}: {error}") from None


def random_model(config: "PretrainedConfig") -> nn.Module:
    """A model with random weights; a `WsedError` if a value of its configuration does not work."""
    from transformers import AutoModel

    try:
        model: nn.Module = AutoModel.from_config(config)
    except ValueError as error:
        raise WsedError(f"encoder: config of {config.model_type}: {error}") from None
    return model


def pretrained_model(config: "PretrainedConfig", folder: str) -> nn.Module:
    """A model with the weights of a folder, which must be of this configuration.

    The configuration is not taken from the folder: a checkpoint of `wsed fit` then tells all that is needed to build
    the network, on a machine without the folder.

    Raises:
        WsedError: no model of transformers there, one of another configuration, or some weights are missing.
    """
    from transformers import AutoConfig, AutoModel

    if not Path(folder).is_dir():
        raise WsedError(f"pretrained: no such folder: {folder}")
    try:
        theirs = AutoConfig.from_pretrained(folder, local_files_only=True).to_dict()
    except (OSError, ValueError) as error:
        raise WsedError(f"{folder} holds no model of transformers: {str(error)[:300]}") from None
    ours = config.to_dict()
    if theirs["model_type"] != ours["model_type"]:
        raise WsedError(f"{folder} holds a {theirs['model_type']}; give `architecture: {theirs['model_type']}`")
    other = {k: theirs[k] for k in ours if k.startswith(SHAPES) and _plain(theirs.get(k)) != _plain(ours[k])}
    if other:
        raise WsedError(f"the weights in {folder} are of another configuration; give `config: {other}`")
    try:
        loaded, found = AutoModel.from_pretrained(
            folder, config=config, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise WsedError(f"{folder}: {str(error)[:300]}") from None
    if found["missing_keys"]:
        raise WsedError(f"the weights in {folder} lack {', '.join(sorted(found['missing_keys'])[:3])}")
    model: nn.Module = loaded
    return model


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
