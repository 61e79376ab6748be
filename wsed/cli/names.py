"""Registered names in YAML and on the command line: `encoder: crnn` for `encoder: {class_path: wsed...CRNN}`.

What a name means follows from the annotation of the argument it is given for, as in `wsed.build`; import paths are left
as they are. A registry with a default, such as that of networks, may have its class left out.
"""

import importlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

import yaml

from wsed.build import arguments_of, is_mapping, is_sequence, part_of
from wsed.literals import members
from wsed.registry import Registry
from wsed.spec import path_of

Root = Mapping[str, object]
"""The annotation of each top-level key of a configuration."""


def parse(text: str) -> object:
    """Read YAML, in which `1e-3` is a number, as in YAML 1.2."""
    return yaml.load(text, Loader=_Loader)


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*)(\.[\d_]*)?[eE][-+]?\d+$"),
    list("-+0123456789"),
)


def resolve(config: object, root: Root, before: object = None) -> object:
    """Replace names by import paths throughout a configuration.

    Args:
        config: as read from YAML; anything but a mapping is returned as it is.
        root: the annotations of its keys.
        before: the configuration that this one is laid over, which may name the classes that this one leaves out.
    """
    if not isinstance(config, dict):
        return config
    return {
        key: _resolve(value, root[key], _at(before, key)) if key in root else value for key, value in config.items()
    }


def resolve_arguments(args: Sequence[str], root: Root) -> list[str]:
    """Do the same for `--model.network.encoder crnn`, `--data.corpus=desed` and values in braces.

    Classes that arguments leave out are those of earlier arguments and configuration files.
    """
    state: dict[str, object] = {}
    result: list[str] = []
    flag: str | None = None
    for arg in args:
        if arg.startswith("-"):
            flag, equals, value = arg.partition("=")
            if not equals:
                result.append(arg)
                continue
            result.append(f"{flag}={_argument(flag, value, root, state)}")
        else:
            result.append(arg if flag is None else _argument(flag, arg, root, state))
        flag = None
    return result


def _argument(flag: str, text: str, root: Root, state: dict[str, object]) -> str:
    """The text of a value with names resolved; `state` learns what it says."""
    if flag in ("--config", "-c"):
        if Path(text).is_file():
            _merge(state, resolve(parse(Path(text).read_text("utf-8")), root, state))
        return text
    keys = flag.lstrip("-").split(".")
    annotation, before = _descend(keys, root, state)
    if annotation is None:
        return text
    value = _parsed(text)
    resolved = _resolve(value, annotation, before)
    _put(state, keys, resolved)
    if isinstance(value, str) and isinstance(resolved, dict) and isinstance(resolved.get("class_path"), str):
        return str(resolved["class_path"]) if len(resolved) == 1 else json.dumps(resolved)
    return text if resolved == value else json.dumps(resolved)


def _descend(keys: Sequence[str], root: Root, state: object) -> tuple[object, object]:
    """The annotation that dotted keys lead to, None if it is not known, and what the state has there."""
    annotation, before = root.get(keys[0]), _at(state, keys[0])
    for key in keys[1:]:
        if key not in ("class_path", "init_args"):
            annotation, before = _below(annotation, key, before), _at(before, key)
    return annotation, before


def _below(annotation: object, key: str, before: object) -> object:
    for member in members(annotation):
        if is_mapping(member):
            return get_args(member)[1]
        for cls in _classes(member, before):
            hints = arguments_of(cls)
            if key in hints:
                return hints[key]
    return None


def _classes(annotation: object, config: object) -> Iterator[type]:
    """The class that a configuration names; where it names none, all that could be meant."""
    part = part_of(annotation)
    if part is None:
        if isinstance(annotation, type):
            yield annotation
        return
    name = config.get("class_path") if isinstance(config, Mapping) else config
    if isinstance(name, str):
        cls = _class(part.registry, name)
        if cls is not None:
            yield cls
            return
    yield from part.registry.classes()


def _class(registry: Registry[type], name: str) -> type | None:
    """The class of a registered name, a class name, or an import path; None if there is no such class."""
    if "." not in name:
        if name in registry:
            return registry[name]
        return next((cls for cls in registry.classes() if cls.__name__ == name), None)
    module, _, attribute = name.rpartition(".")
    try:
        cls = vars(importlib.import_module(module)).get(attribute)
    except Exception:
        return None  # the parser says what is wrong with it
    return cls if isinstance(cls, type) else None


def _resolve(value: object, annotation: object, before: object) -> object:
    for member in members(annotation):
        part = part_of(member)
        if part is not None and isinstance(value, str | dict):
            return _component(value, part.registry, member, before)
        if is_sequence(member) and isinstance(value, list):
            return [_resolve(item, get_args(member)[0], None) for item in value]
        if is_mapping(member) and isinstance(value, dict):
            return {key: _resolve(item, get_args(member)[1], _at(before, key)) for key, item in value.items()}
        if part is None and isinstance(member, type) and isinstance(value, dict):
            return _arguments(value, member, value, before)
    return value


def _component(value: str | dict[str, object], registry: Registry[type], member: object, before: object) -> object:
    if isinstance(value, str):
        if value.endswith((".yaml", ".yml")) and Path(value).is_file():
            return _resolve(parse(Path(value).read_text("utf-8")), member, before)
        path = _path(registry, value)
        return value if path == value else {"class_path": path}
    if "class_path" not in value and "init_args" not in value and registry.default is not None:
        named = _at(before, "class_path")
        value = {"class_path": named if isinstance(named, str) else registry.default, "init_args": value}
    path = value.get("class_path")
    if isinstance(path, str):
        value = {**value, "class_path": _path(registry, path)}
    return _arguments(value, member, value if isinstance(path, str) else before, before)


def _arguments(value: dict[str, object], member: object, named: object, before: object) -> dict[str, object]:
    """The mapping with the names in its arguments resolved, whether they stand in `init_args` or beside the class."""
    resolved = dict(value)
    for key, item in value.items():
        if key == "init_args" and isinstance(item, dict):
            resolved[key] = _arguments(item, member, named, _at(before, "init_args"))
        elif key != "class_path":
            annotation = _below(member, key, named)
            resolved[key] = _resolve(item, annotation, _at(before, key))
    return resolved


def _path(registry: Registry[type], name: str) -> str:
    """The import path of a registered name; import paths, class names and YAML of other kinds are left as they are."""
    if "." in name or not name or name[0] in "{[" or name == "null":
        return name
    if name not in registry and any(cls.__name__ == name for cls in registry.classes()):
        return name  # which jsonargparse knows
    return path_of(registry[name])


def _parsed(text: str) -> object:
    try:
        return parse(text) if text[:1] in ("{", "[") else text
    except yaml.YAMLError:
        return text  # the parser says what is wrong with it


def _at(config: object, key: str) -> object:
    """What a configuration has under a key, beside the class or in `init_args`."""
    if not isinstance(config, Mapping):
        return None
    arguments = config.get("init_args")
    if key not in config and isinstance(arguments, Mapping):
        return arguments.get(key)
    return config.get(key)


def _put(state: dict[str, object], keys: Sequence[str], value: object) -> None:
    for key in reversed(keys):
        value = {key: value}
    _merge(state, value)


def _merge(state: dict[str, object], config: object) -> None:
    for key, value in config.items() if isinstance(config, dict) else ():
        inner = state.get(key)
        if isinstance(inner, dict) and isinstance(value, dict):
            _merge(inner, value)
        else:
            state[key] = dict(value) if isinstance(value, dict) else value
