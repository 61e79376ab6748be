"""The specs in checkpoints: what is written, and whether two networks have the same settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsed.errors import WsedError
from wsed.spec import Spec, path_of, spec_of

if TYPE_CHECKING:
    from wsed.decoding import Decoder


def plain_spec(component: object) -> dict[str, Any] | None:
    """The spec of a network or of a part of it as plain values; None if it has no spec."""
    return None if why_no_spec(component) else spec_of(component).to_plain()


def decoder_spec(decoder: "Decoder") -> dict[str, Any]:
    """The spec of a decoder as plain values. A decoder that is not registered gets a spec too, but cannot be loaded.

    >>> from wsed.decoding import StepDecoder
    >>> decoder_spec(StepDecoder())["class_path"]
    'steps'
    """
    try:
        return spec_of(decoder).to_plain()
    except WsedError:
        return Spec(path_of(type(decoder)), decoder.values()).to_plain()


def why_no_spec(component: object) -> str:
    """The reason why a network has no spec; empty if it has one."""
    try:
        spec_of(component)
    except WsedError as error:
        return str(error)
    return ""


def same_network(one: Mapping[str, object] | None, other: Mapping[str, object] | None) -> bool:
    """Whether two specs of networks agree in all settings that both have; True if one of them is None.

    >>> same_network({"class_path": "mmnet", "init_args": {"mu": 0.5}}, {"class_path": "mmnet", "init_args": {}})
    True
    """
    return one is None or other is None or not differences(one, other)


def differences(one: object, other: object, at: str = "") -> list[tuple[str, object, object]]:
    """The settings that two specs both have and that differ, and their two values.

    >>> differences({"class_path": "waa", "init_args": {"dropout": 0.2}}, {"init_args": {"dropout": 0.0}})
    [('init_args.dropout', 0.2, 0.0)]
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        both = [key for key in one if key in other]
        return [found for key in both for found in differences(one[key], other[key], f"{at}.{key}" if at else str(key))]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [found for i, (a, b) in pairs for found in differences(a, b, f"{at}[{i}]")]
    return [] if one == other else [(at, one, other)]


def check_same(component: object, spec: object, path: str | Path, setting: str) -> None:
    """Refuse a component whose settings are not those that its weights were trained with.

    A component that one of the two leaves to a default is not compared.

    Args:
        component: the component.
        spec: its spec in the checkpoint, as plain values; None if it is not known.
        path: the checkpoint, for the message.
        setting: the setting that describes the component, for the message.

    Raises:
        WsedError: a setting that both have differs.

    >>> from wsed.decoding import StepDecoder
    >>> check_same(StepDecoder(), {"init_args": {"threshold": 0.3}}, "a.ckpt", "decoder")
    Traceback (most recent call last):
    wsed.errors.WsedError: the weights in a.ckpt were trained with decoder.init_args.threshold 0.3, not 0.5: ...
    """
    for name, theirs, own in differences(spec or {}, plain_spec(component) or {}):
        if (theirs is None and isinstance(own, Mapping)) or (own is None and isinstance(theirs, Mapping)):
            continue
        at = f"{setting}.{name}" if name else setting
        raise WsedError(f"the weights in {path} were trained with {at} {theirs}, not {own}: set it to {theirs}")
