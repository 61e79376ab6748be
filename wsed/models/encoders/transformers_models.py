"""Models of the package transformers with weights from a folder; nothing is downloaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from wsed.errors import WsedError, near
from wsed.models.encoders.pretrained import few, read_tensors

if TYPE_CHECKING:  # an extra
    from transformers import PretrainedConfig

WHOLE = {"layerdrop": 0.0, "mask_time_prob": 0.0, "mask_feature_prob": 0.0, "apply_spec_augment": False}
"""Defaults with which every step trains every weight, so that all ranks have gradients of the same weights."""

AST = "audio-spectrogram-transformer"
"""The name of the encoder `ast` in transformers."""

ENDINGS = ("*.safetensors", "*.bin")
"""The files of a folder that hold weights."""

SHAPES = (
    *("conv_", "do_stable", "feat_extract_", "hidden_act", "hidden_size", "intermediate_size", "max_bucket", "num_"),
    *("patch_size", "frequency_stride", "time_stride", "max_length", "qkv_bias"),
    *("squeeze_factor", "position_", "rotary_", "max_source", "relative_attention", "pos_att_type", "share_att_key"),
    *("norm_rel_ebd", "max_position"),
)
"""Prefixes of the settings that change what a model computes; other settings concern training and other tasks."""


def configuration(architecture: str, values: Mapping[str, object], encoder: str = "wav2vec2") -> "PretrainedConfig":
    """The configuration of an architecture in transformers.

    Args:
        architecture: its name.
        values: settings that differ from the defaults.
        encoder: name of the encoder, for messages.

    Raises:
        WsedError: transformers is not installed, or the architecture or the name of a setting is unknown.
    """
    try:
        from transformers import CONFIG_MAPPING, AutoConfig
    except ImportError:
        raise WsedError(f"encoder {encoder} needs transformers: pip install 'wsed[speech]'") from None
    if architecture not in CONFIG_MAPPING:
        known = near(architecture, CONFIG_MAPPING)
        raise WsedError(f"encoder {encoder}: transformers has no architecture {architecture!r}{known}")
    defaults = AutoConfig.for_model(architecture).to_dict()
    for name in values:
        if name not in defaults:
            raise WsedError(f"encoder: {architecture} has no setting {name!r} in its config{near(name, defaults)}")
    try:
        whole = {name: value for name, value in WHOLE.items() if name in defaults}
        return AutoConfig.for_model(architecture, **{**whole, **values})
    except Exception as error:  # its checks raise errors of several packages
        raise WsedError(f"encoder: config of {architecture}: {error}") from None


def reads_waveform(config: "PretrainedConfig") -> bool:
    """Whether a model reads a waveform and returns frames, as wav2vec 2.0 and its relatives do."""
    return {"conv_stride", "conv_kernel", "num_feat_extract_layers"} <= {*dir(config)} and not config.is_encoder_decoder


def encoder_for(architecture: str) -> str:
    """What to give for weights of an architecture, for messages."""
    from transformers import AutoConfig

    if architecture == AST:
        return "give `encoder: ast`"
    if reads_waveform(AutoConfig.for_model(architecture)):
        return f"give `encoder: {{class_path: wav2vec2, init_args: {{architecture: {architecture}}}}}`"
    return "no encoder of wsed takes it"


def random_model(config: "PretrainedConfig") -> nn.Module:
    """A model with random weights.

    Raises:
        WsedError: a value of the configuration is invalid.
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
        WsedError: the folder has no model of transformers, its configuration differs, some weights are missing or have
            another shape, or a file of weights is damaged or holds pickled objects.
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
        raise WsedError(f"{folder} holds a {saved['model_type']}; {encoder_for(saved['model_type'])}")
    other = {k: saved[k] for k in wanted if k.startswith(SHAPES) and _plain(saved.get(k)) != _plain(wanted[k])}
    if other:
        raise WsedError(f"the weights in {folder} are of another configuration; give `config: {other}`")
    try:
        loaded, info = AutoModel.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are reported below, by name
        )
    except Exception as error:  # torch, pickle and safetensors raise errors of many kinds
        for file in sorted(path for ending in ENDINGS for path in Path(folder).glob(ending)):
            read_tensors(file)  # says which file cannot be read, and why
        raise WsedError(f"{folder}: {str(error)[:300]}") from None
    if info["missing_keys"]:
        raise WsedError(f"the weights in {folder} lack {', '.join(sorted(info['missing_keys'])[:3])}")
    if shapes := [f"{name} is {list(own)}, not {list(ours)}" for name, own, ours in sorted(info["mismatched_keys"])]:
        raise WsedError(f"the weights in {folder} are of another configuration: {few(shapes, '; ')}")
    model: nn.Module = loaded
    return model


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
