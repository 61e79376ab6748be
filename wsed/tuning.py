"""Which decoder a checkpoint keeps, and whether its thresholds are of the network that is asked for."""

from typing import Any

import yaml

from wsed.decoding import BoxDecoder, Decoder, StepDecoder, Tuning

__all__ = ["Tuning", "decoder_of", "same_network"]


def decoder_of(values: dict[str, Any]) -> Decoder:
    """The decoder that `dataclasses.asdict` gave these values for, as checkpoints keep them."""
    return BoxDecoder(**values) if "window" in values else StepDecoder(**values)


def same_network(tuned: str, asked: str) -> bool:
    """Whether two networks' settings, as YAML in checkpoints, agree where both are known: thresholds fit one network.

    Settings that only one has come of another version of wsed; where `pretrained` weights came from does not count.
    """
    return not tuned or not asked or _agree(yaml.safe_load(tuned), yaml.safe_load(asked))


def _agree(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_agree(one[key], other[key]) for key in (one.keys() & other.keys()) - {"pretrained"})
    if isinstance(one, dict) != isinstance(other, dict):  # a class by its name alone, or with its arguments
        one, other = (value.get("class_path") if isinstance(value, dict) else value for value in (one, other))
    if isinstance(one, dict) != isinstance(other, dict):  # a class by its name alone, or with its arguments
        one, other = (value.get("class_path") if isinstance(value, dict) else value for value in (one, other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_agree, one, other))
    return bool(one == other)
