"""Models of the package transformers with weights from a folder; nothing is downloaded."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from wsed.errors import WsedError, near
from wsed.models.encoders.pretrained import few, read_tensors
from wsed.models.encoders.transformers_parts import Part, part_of

if TYPE_CHECKING:  # an extra
    from transformers import PretrainedConfig, PreTrainedModel

WHOLE = {
    **dict.fromkeys(("layerdrop", "encoder_layerdrop", "speech_encoder_layerdrop"), 0.0),
    **{"mask_time_prob": 0.0, "mask_feature_prob": 0.0, "apply_spec_augment": False},
}
"""Defaults with which every step trains every weight, so that all ranks have gradients of the same weights."""

AST = "audio-spectrogram-transformer"
"""The name of the encoder `ast` in transformers."""

ENCODER_OF = {
    AST: "ast",
    "clap": "clap",
    "wav2vec2-bert": "wav2vec2_bert",
    **{name: name for name in ("hubert", "wav2vec2", "wavlm", "whisper")},
}
"""The encoders that take one architecture, by its name in transformers."""

PARTS = {"clap_audio_model": "audio_model", "whisper": "encoder"}
"""Architectures of which an encoder takes only a part, and the name of the part in the model of the folder."""

ENDINGS = ("*.safetensors", "*.bin")
"""The files of a folder that hold weights."""

EXTRACTORS = ("preprocessor_config.json", "processor_config.json")
"""The files of a folder that may describe the features that its weights were trained on."""

SHAPES = (
    *("conv_", "do_stable", "feat_extract_", "hidden_act", "hidden_size", "intermediate_size", "max_bucket", "num_"),
    *("patch_size", "frequency_stride", "time_stride", "max_length", "qkv_bias"),
    *("squeeze_factor", "position_", "rotary_", "max_source", "relative_attention", "pos_att_type", "share_att_key"),
    *("norm_rel_ebd", "max_position"),
    *("d_model", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim", "activation_function", "scale_embed"),
    *("feature_projection", "left_max", "right_max"),
    *("depths", "spec_size", "window_size", "patch_", "enable_", "fusion_type", "flatten_patch", "mlp_ratio", "aff_"),
)
"""Prefixes of the settings that change what a model computes; other settings concern training and other tasks."""

ELSEWHERE = re.compile(
    "^_|^(architectures|dtype|torch_dtype|transformers_version|use_cache|id2label|label2id|problem_type|return_dict)$"
    "|^(decoder|num_decoder|speech_decoder|text|t2u|vocoder|unit|variance|max_new|max_target|output_|bos|eos|sep|tie)_?"
    "|dropout|layerdrop|drop_prob|vocab|mask_(time|feature)|spec_augment|^ctc_|lang|loss|guided|init"
)
"""Names of settings of any model that concern its decoder, training or other tasks: weights do not depend on them."""


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
    given = _filled(values, AutoConfig.for_model(architecture).to_dict(), architecture)
    try:
        return AutoConfig.for_model(architecture, **given)
    except Exception as error:  # its checks raise errors of several packages
        raise WsedError(f"encoder: config of {architecture}: {error}") from None


def _filled(values: Mapping[str, object], defaults: Mapping[str, object], architecture: str) -> dict[str, object]:
    """The settings of a configuration and of those inside it, with those of `WHOLE`."""
    for name in values:
        if name not in defaults:
            raise WsedError(f"encoder: {architecture} has no setting {name!r} in its config{near(name, defaults)}")
    given = {**{name: value for name, value in WHOLE.items() if name in defaults}, **values}
    for name, default in defaults.items():
        if isinstance(default, dict) and (kind := default.get("model_type")):
            inner = values.get(name, {})
            if not isinstance(inner, Mapping):
                raise WsedError(f"encoder: {name} of {architecture} must be settings by name, not {inner!r}")
            if kind == inner.get("model_type", kind) and (
                filled := _filled(inner, default, f"{name} of {architecture}")
            ):
                given[name] = {"model_type": kind, **filled}
    return given


def reads_waveform(config: "PretrainedConfig") -> bool:
    """Whether a model reads a waveform and returns frames, as wav2vec 2.0 and its relatives do."""
    return {"conv_stride", "conv_kernel", "num_feat_extract_layers"} <= {*dir(config)} and not config.is_encoder_decoder


def encoder_for(architecture: str) -> str:
    """The encoder to give for weights of an architecture, for messages."""
    from transformers import AutoConfig

    if architecture in ENCODER_OF:
        return f"give `encoder: {ENCODER_OF[architecture]}`"
    if reads_waveform(AutoConfig.for_model(architecture)):
        return f"give `encoder: {{class_path: wav2vec2, init_args: {{architecture: {architecture}}}}}`"
    try:
        part_of(AutoConfig.for_model(architecture))
    except WsedError as error:
        return f"no encoder of wsed takes it: {error}"
    return f"give `encoder: {{class_path: transformers, init_args: {{architecture: {architecture}}}}}`"


def model_of(config: "PretrainedConfig", folder: str | None) -> nn.Module:
    """The model of a configuration: with the weights of a folder, or with random ones if it is None.

    Raises:
        WsedError: as `random_model` and `pretrained_model`.
    """
    return random_model(config) if folder is None else pretrained_model(config, folder)


def random_model(config: "PretrainedConfig") -> nn.Module:
    """A model with random weights.

    Raises:
        WsedError: a value of the configuration is invalid.
    """
    from transformers import AutoModel, ClapAudioModel
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    parts = {"audio_model": ClapAudioModel, "encoder": WhisperEncoder}
    build = parts.get(PARTS.get(config.model_type, ""), AutoModel.from_config)
    try:
        model: nn.Module = build(config)
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
    from transformers import AutoModel

    whole = _saved(folder)
    audio = whole.audio_config if whole.model_type == "clap" and config.model_type == "clap_audio_model" else whole
    _check_kind(audio, config.model_type, folder)
    saved, wanted = audio.to_dict(), config.to_dict()
    _check_settings({k: saved.get(k) for k in wanted if k.startswith(SHAPES)}, wanted, folder)
    part = PARTS.get(config.model_type, "")
    loaded = _loaded(AutoModel, folder, whole if part else config, part)
    if not part:
        return loaded
    model = random_model(config)
    model.load_state_dict(loaded.get_submodule(part).state_dict())
    return model


def model_of_part(config: "PretrainedConfig", part: Part, folder: str | None) -> nn.Module:
    """The part for sound of a model: with the weights of a folder, or with random ones if it is None.

    Only the weights of the part are read, and as in `pretrained_model` the configuration is not read from the folder.

    Args:
        config: the configuration of the whole model.
        part: its part for sound.
        folder: a folder that `save_pretrained` of transformers wrote, of the whole model or one for a task.

    Raises:
        WsedError: as `random_model` and `pretrained_model`.

    >>> sizes = {"hidden_size": 8, "encoder_num_attention_heads": 2, "encoder_num_hidden_layers": 1}
    >>> config = configuration("moonshine", sizes)
    >>> type(model_of_part(config, part_of(config), None)).__name__
    'MoonshineEncoder'
    """
    if folder is None:
        try:
            model: nn.Module = part.build(part.config)
        except Exception as error:  # its checks raise errors of several packages
            raise WsedError(f"encoder: config of {config.model_type}: {str(error)[:300]}") from None
        return model
    saved = _saved(folder)
    _check_kind(saved, config.model_type, folder)
    theirs, ours = part_of(saved).config.to_dict(), part.config.to_dict()
    shapes = {k: v for k, v in theirs.items() if k in ours and not ELSEWHERE.search(k)}
    _check_settings(shapes, ours, folder, part.within)
    model = _loaded(part.build, folder, part.config, names=_names(part))
    for name in part.fixed:  # reading the weights makes them trained ones
        model.get_parameter(name).requires_grad_(False)
    return model


def _names(part: Part) -> dict[str, str] | None:
    """The names of the weights of a part in a folder of the whole model, as patterns, and what to put for them."""
    if not part.path:
        return None
    before, _, last = part.path.rpartition(".")
    outer = "|".join(sorted({re.escape(name) for name in (before, part.base, "model") if name}))
    return {rf"^(?:(?:{outer})\.)?{last}\.": ""}


def _saved(folder: str) -> "PretrainedConfig":
    """The configuration in a folder."""
    from transformers import AutoConfig

    if not Path(folder).is_dir():
        raise WsedError(f"pretrained: no such folder: {folder}")
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise WsedError(f"{folder} holds no model of transformers: {str(error)[:300]}") from None


def _check_kind(saved: "PretrainedConfig", wanted: str, folder: str) -> None:
    if saved.model_type != wanted:
        raise WsedError(f"{folder} holds a {saved.model_type}; {encoder_for(saved.model_type)}")


def _check_settings(saved: Mapping[str, object], wanted: Mapping[str, object], folder: str, within: str = "") -> None:
    other = {name: value for name, value in saved.items() if plain(value) != plain(wanted.get(name))}
    if other:
        setting = {within: other} if within else other
        raise WsedError(f"the weights in {folder} are of another configuration; give `config: {setting}`")


def _loaded(
    kind: "type[PreTrainedModel]",
    folder: str,
    config: "PretrainedConfig",
    part: str = "",
    names: Mapping[str, str] | None = None,
) -> nn.Module:
    """A model of a class, or of `AutoModel`, from a folder, which must have all weights of `part`."""
    try:
        model, info = kind.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are reported below, by name
            key_mapping=names,
        )
    except Exception as error:  # torch, pickle and safetensors raise errors of many kinds
        for file in sorted(path for ending in ENDINGS for path in Path(folder).glob(ending)):
            read_tensors(file)  # says which file cannot be read, and why
        raise WsedError(f"{folder}: {str(error)[:300]}") from None
    if missing := sorted(name for name in info["missing_keys"] if name.startswith(part)):
        raise WsedError(f"the weights in {folder} lack {', '.join(missing[:3])}")
    wrong = sorted(sizes for sizes in info["mismatched_keys"] if sizes[0].startswith(part))
    if shapes := [f"{name} is {list(own)}, not {list(ours)}" for name, own, ours in wrong]:
        raise WsedError(f"the weights in {folder} are of another configuration: {few(shapes, '; ')}")
    loaded: nn.Module = model.train()  # as a network that is built without a folder; the package leaves it in eval mode
    return loaded


def feature_extractor(folder: str | Path, **fixed: object) -> dict[str, float | str] | None:
    """The settings of the feature extractor of a folder, which say what its weights were trained on.

    Args:
        folder: a folder that `save_pretrained` of transformers wrote.
        fixed: values that the settings must have where the folder names them.

    Returns:
        the settings; None if the folder has no file with them, since `save_pretrained` of a model writes none.

    Raises:
        WsedError: the file is damaged, or a setting has another value.

    >>> feature_extractor("missing") is None
    True
    """
    for file in (Path(folder) / name for name in EXTRACTORS):
        if not file.is_file():
            continue
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
            facts = dict(facts.get("feature_extractor", facts))
        except (ValueError, TypeError, AttributeError):
            raise WsedError(
                f"pretrained: {file} is damaged: it must hold the settings of a feature extractor"
            ) from None
        for name, value in fixed.items():
            if facts.get(name, value) != value:
                raise WsedError(f"pretrained: {file} has {name}: {facts[name]}; the frontend can only have {value}")
        return facts
    return None


def plain(value: object) -> object:
    """A tuple as a list, as in JSON.

    >>> plain((1, 2)), plain("a")
    ([1, 2], 'a')
    """
    return list(value) if isinstance(value, tuple) else value
