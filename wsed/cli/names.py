"""Registry names in YAML and on the command line: `encoder: crnn` for `encoder: {class_path: wsed...CRNN}`.

The value under a key that is a kind (`loss`, `encoder`, `head`, ...) may be a registered name, alone or as
`class_path`; import paths are left as they are. `network` may leave the class out: it is the composed one.
"""

from collections.abc import Sequence
from typing import Any

from wsed.errors import WsedError
from wsed.registry import ALIASES, HOMES, registry
from wsed.text import parse_yaml

DEFAULTS = {"network": "composed"}
"""Kinds whose class may be left out."""


def load_yaml(text: str) -> Any:
    """YAML with the names resolved; given to jsonargparse as the loader of its configurations."""
    return resolve(parse_yaml(text))


def resolve(config: Any) -> Any:
    """Replace names by import paths throughout a configuration, and name the class of a kind that has a default.

    >>> resolve({"network": {"encoder": "wsed.models.encoders.crnn.CRNN"}})["network"]["class_path"]
    'wsed.models.network.Composed'
    """
    return _with_defaults(expand(config))


def expand(config: Any) -> Any:
    """Replace names by import paths, and write components as `class_path` and `init_args`.

    A network whose class is left out has `init_args` alone, so that it can be merged over one of any class.
    """
    if isinstance(config, list):
        return [expand(value) for value in config]
    if not isinstance(config, dict):
        return config
    kinds = {key: ALIASES.get(str(key), str(key)) for key in config}
    return {
        key: _component(kinds[key], value) if kinds[key] in HOMES else expand(value) for key, value in config.items()
    }


def _with_defaults(config: Any) -> Any:
    if isinstance(config, list):
        return [_with_defaults(value) for value in config]
    if not isinstance(config, dict):
        return config
    result = {key: _with_defaults(value) for key, value in config.items()}
    for key, value in result.items():
        kind = ALIASES.get(str(key), str(key))
        if kind in DEFAULTS and isinstance(value, dict) and "class_path" not in value:
            result[key] = {"class_path": _path(kind, DEFAULTS[kind]), **value}
    return result


def resolve_arguments(args: Sequence[str]) -> list[str]:
    """The same for `--model.network.encoder crnn`, `--data.corpus desed` and `--data.corpus=desed`."""
    result: list[str] = []
    kind = None
    for arg in args:
        if kind is not None and not arg.startswith("--"):
            result.append(_path(kind, arg))
            kind = None
            continue
        flag, equals, value = arg.partition("=")
        kind = _kind(flag) if flag.startswith("--") else None
        if kind is not None and equals:
            result.append(f"{flag}={_path(kind, value)}")
            kind = None
        else:
            result.append(arg)
    return result


def _kind(flag: str) -> str | None:
    parts = flag.lstrip("-").removesuffix(".class_path").rsplit(".", 1)
    kind = ALIASES.get(parts[-1], parts[-1])
    return kind if kind in HOMES else None


def _component(kind: str, value: Any) -> Any:
    if isinstance(value, str):
        return {"class_path": _path(kind, value)}
    if isinstance(value, list):  # several heads
        return [_component(kind, item) for item in value]
    if not isinstance(value, dict):
        return value
    if "class_path" not in value and "init_args" not in value and kind in DEFAULTS:
        value = {"init_args": value}
    if isinstance(value.get("class_path"), str):
        value = {**value, "class_path": _path(kind, value["class_path"])}
    return expand(value)


def _path(kind: str, name: str) -> str:
    if "." in name or not name or name[0] in "{[" or name == "null":
        return name
    names = registry(kind)
    if name not in names and any(cls.__name__ == name for cls in names.classes()):
        return name  # a class name, which jsonargparse knows
    cls = names[name]
    if not isinstance(cls, type):
        raise WsedError(f"{kind} {name!r} is not a class")
    return f"{cls.__module__}.{cls.__qualname__}"
