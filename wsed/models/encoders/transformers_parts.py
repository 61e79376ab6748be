"""Which part of a model of transformers turns sound into frames."""

from typing import TYPE_CHECKING, NamedTuple

import torch

from wsed.errors import WsedError

if TYPE_CHECKING:  # an extra
    from transformers import PretrainedConfig, PreTrainedModel

TOWERS = ("audio_tower", "audio_encoder", "speech_encoder")
"""Names of the part for sound in models that read text or pictures too."""

SOUND = ("input_values", "input_features")
"""Names of the main input of models that read sound."""


class Part(NamedTuple):
    """The part of a model that turns sound into frames.

    Attributes:
        path: its name in the whole model; empty: the whole model.
        build: its class, which is built from `config`.
        config: its configuration.
        within: the setting of the whole configuration that holds `config`; empty: `config` is the whole one.
        base: the name that the whole model has inside models for a task.
        fixed: names of weights that are not trained, such as places.
    """

    path: str
    build: "type[PreTrainedModel]"
    config: "PretrainedConfig"
    within: str
    base: str
    fixed: tuple[str, ...]


def part_of(config: "PretrainedConfig") -> Part:
    """The part for sound of the model of a configuration; the model is built without memory for its weights.

    An encoder with a decoder is a part, and so is a tower for sound beside a language model.

    Args:
        config: the configuration of the whole model.

    Raises:
        WsedError: the model reads no sound, it is a codec, or transformers cannot build it.

    >>> from transformers import AutoConfig
    >>> part_of(AutoConfig.for_model("speech_to_text")).path
    'model.encoder'
    """
    from transformers import PreTrainedModel
    from transformers.models.auto.feature_extraction_auto import FEATURE_EXTRACTOR_MAPPING

    whole = _without_memory(config)
    task = "For" in type(whole).__name__  # with a head or a decoder
    inner = {path: part for path, part in whole.named_modules() if path and isinstance(part, PreTrainedModel)}
    names = (*TOWERS, "encoder") if task or config.is_encoder_decoder else TOWERS
    paths = [path for name in names for path in inner if path.rsplit(".", 1)[-1] == name]
    path = paths[0] if paths else ""
    part = inner[path] if path else whole
    known = type(config) in FEATURE_EXTRACTOR_MAPPING and path != ""
    if not (known or part.main_input_name in SOUND):
        raise WsedError(f"{config.model_type} has no part that reads sound alone, or none with a usual name")
    if "decode" in dir(part):
        raise WsedError(f"{config.model_type} is a codec: it gives codes and sound, not frames")
    kind = type(part.config)
    settings = {name: inner for name, inner in vars(config).items() if type(inner) is kind} | {"": config}
    within = next(iter(settings)) if kind is not type(config) else ""
    if type(settings[within]) is not kind:
        raise WsedError(f"{config.model_type} has no configuration of its part for sound")
    fixed = tuple(name for name, weights in part.named_parameters() if not weights.requires_grad)
    return Part(path, type(part), settings[within], within, whole.base_model_prefix, fixed)


def _without_memory(config: "PretrainedConfig") -> "PreTrainedModel":
    """The model of a configuration on the device `meta`; one that reads sound if there are several.

    If the settings do not fit, it has the default ones: they need to fit in the part for sound only.
    """
    from transformers import MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING, MODEL_MAPPING

    kind = type(config)
    mapping = MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING if kind in MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING else MODEL_MAPPING
    if kind not in mapping:
        raise WsedError(f"transformers has no class for {config.model_type} alone")
    for settings in (lambda: config, kind):
        try:
            with torch.device("meta"):
                model: PreTrainedModel = mapping[kind](settings())
            return model
        except Exception as error:  # a missing package, or a check of the model
            reason = str(error).strip()[:300]
    raise WsedError(f"transformers cannot build a {config.model_type} from its configuration: {reason}")
