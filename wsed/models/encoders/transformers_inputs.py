"""The feature extractors of transformers: from their settings, and from sound to the inputs of a model."""

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from wsed.errors import WsedError, near
from wsed.models.encoders.transformers_models import feature_extractor, plain

if TYPE_CHECKING:  # an extra
    from transformers import FeatureExtractionMixin, PretrainedConfig

KIND = "feature_extractor_type"
"""The setting that names the class of a feature extractor, as in the files of transformers."""

MASKS = ("attention_mask", "input_features_mask", "padding_mask")
"""Names of the mask of the steps that hold sound: extractors and models of one kind have different ones."""


def extractor_of(
    config: "PretrainedConfig", values: Mapping[str, object], leave_out: bool = False
) -> "FeatureExtractionMixin":
    """The feature extractor of a model.

    Args:
        config: the configuration of the model, which names the class.
        values: settings that differ from the defaults of the class; `feature_extractor_type` names another class.
        leave_out: leave out settings that the class does not have.

    Raises:
        WsedError: transformers has no feature extractor for the model, it needs a package that is not installed, or a
            setting is unknown or invalid.

    >>> from transformers import AutoConfig
    >>> extractor_of(AutoConfig.for_model("moonshine"), {"sampling_rate": 8000}).sampling_rate
    8000
    """
    from transformers.models.auto.feature_extraction_auto import (
        FEATURE_EXTRACTOR_MAPPING,
        FEATURE_EXTRACTOR_MAPPING_NAMES,
        feature_extractor_class_from_name,
    )

    given = dict(values)
    name, known = given.pop(KIND, None), {*FEATURE_EXTRACTOR_MAPPING_NAMES.values()}
    if name is None and type(config) not in FEATURE_EXTRACTOR_MAPPING:
        raise WsedError(
            f"encoder transformers: transformers names no feature extractor for {config.model_type}; if it reads "
            f"sound, give `extractor: {{{KIND}: ...}}` as in preprocessor_config.json of its folder"
        )
    if name is not None and name not in known:
        raise WsedError(f"extractor: transformers has no feature extractor {name!r}{near(str(name), sorted(known))}")
    kind = FEATURE_EXTRACTOR_MAPPING[type(config)] if name is None else feature_extractor_class_from_name(str(name))
    try:
        usual = {*kind().to_dict(), *inspect.signature(kind).parameters}
        for setting in given:
            if setting not in usual and not leave_out:
                raise WsedError(f"extractor: {kind.__name__} has no setting {setting!r}{near(setting, sorted(usual))}")
        made: FeatureExtractionMixin = kind(**{setting: given[setting] for setting in given if setting in usual})
    except WsedError:
        raise
    except Exception as error:  # a missing package, or a check of the extractor
        raise WsedError(f"extractor: {kind.__name__}: {str(error).strip()[:300]}") from None
    if "sampling_rate" not in vars(made):
        raise WsedError(f"extractor: {kind.__name__} takes no sound")
    return made


def check_extractor(config: "PretrainedConfig", extractor: "FeatureExtractionMixin", folder: str) -> None:
    """Refuse settings of a feature extractor that are not those in the folder of the weights.

    A folder without settings is not refused: `save_pretrained` of a model writes none.

    Args:
        config: the configuration of the model.
        extractor: the feature extractor.
        folder: a folder that `save_pretrained` of transformers wrote.

    Raises:
        WsedError: the settings differ; the message gives the right ones. Or the file with them is damaged.

    >>> from transformers import AutoConfig
    >>> config = AutoConfig.for_model("moonshine")
    >>> check_extractor(config, extractor_of(config, {}), "missing")  # no file: nothing is known
    """
    facts = feature_extractor(folder)
    if facts is None:
        return
    ours = extractor.to_dict()
    theirs = extractor_of(config, {KIND: ours[KIND], **facts}, leave_out=True).to_dict()
    other = {
        name: value
        for name, value in theirs.items()
        if name != "processor_class" and isinstance(value, bool | int | float | str | list | None)
        if name not in ours or plain(ours[name]) != plain(value)
    }
    if other:
        raise WsedError(f"the weights in {folder} were trained on other features; give `extractor: {other}`")


@torch.compiler.disable  # type: ignore[untyped-decorator]
def inputs_of(
    extractor: "FeatureExtractionMixin", forward: Callable[..., object], audio: Float[Tensor, "clip sample"]
) -> dict[str, Tensor]:
    """What a model takes, from clips of one length: its feature extractor runs on the CPU, clip by clip.

    Features that are not numbers become 0: some extractors divide by the standard deviation, which is 0 in silence.

    Args:
        extractor: the feature extractor.
        forward: the method `forward` of the model, whose arguments name the inputs.
        audio: the clips, without padding.

    Returns:
        the inputs by name, on the device of the clips.

    >>> from transformers import AutoConfig
    >>> extractor = extractor_of(AutoConfig.for_model("moonshine"), {})
    >>> inputs_of(extractor, lambda input_values: None, torch.randn(2, 400))["input_values"].shape
    torch.Size([2, 400])
    """
    called, takes = inspect.signature(extractor).parameters, inspect.signature(forward).parameters
    mask = next((name for name in MASKS if name in takes), "")
    options = {"sampling_rate": vars(extractor)["sampling_rate"], "return_tensors": "pt"}
    if mask == "input_features_mask":  # such models need one
        options["return_attention_mask"] = True
    options = {name: value for name, value in options.items() if name in called}
    clips = []
    for clip in audio.detach().float().cpu().numpy():
        with np.errstate(divide="ignore", invalid="ignore"):  # silence
            given = extractor([clip], **options)
        found = {name: value for name, value in given.items() if isinstance(value, Tensor)}
        for name in MASKS[:2]:  # another name for the same mask
            if mask in MASKS[:2] and mask not in found and name in found:
                found[mask] = found[name]
        if not found.keys() & takes.keys() - {*MASKS}:
            found[next(iter(takes))] = next(iter(found.values()))
        clips.append({name: value for name, value in found.items() if name in takes})
    together = {name: torch.cat([clip[name] for clip in clips]).to(audio.device) for name in clips[0]}
    return {name: x.float().nan_to_num(0.0, 0.0, 0.0) if x.is_floating_point() else x for name, x in together.items()}
