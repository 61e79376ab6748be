"""Registered names in YAML and on the command line: `encoder: crnn` for `encoder: {class_path: wsed...CRNN}`.

What a name means follows from the annotation of the argument it is given for, as in `wsed.build`; import paths are left
as they are. The class may be left out if its registry has a default, as that of networks has.
"""

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import cache
from typing import TypeAlias, get_args

from wsed.build import arguments_of, is_mapping, is_sequence, part_of
from wsed.errors import WsedError
from wsed.literals import choices_of, members
from wsed.registry import Registry
from wsed.spec import name_of, path_of
from wsed.text import parse_yaml, yaml_or_text

Config: TypeAlias = dict[str, object]


@cache
def root() -> Mapping[str, object]:
    """The annotation of each top-level key of a configuration."""
    from wsed.data.module import SEDDataModule
    from wsed.training.evaluation import Evaluation
    from wsed.training.task import SEDTask

    return {"model": SEDTask, "data": SEDDataModule, "evaluation": Evaluation}


def load_yaml(text: str) -> object:
    """Load YAML and resolve its names; jsonargparse loads configurations with it."""
    return resolve(parse_yaml(text))


def resolve(config: object) -> object:
    """Replace names by import paths throughout a configuration, and name the class of a kind that has a default.

    >>> config = resolve({"model": {"network": {"encoder": "crnn"}}})
    >>> config["model"]["network"]["class_path"]
    'wsed.models.network.Composed'
    >>> config["model"]["network"]["init_args"]["encoder"]
    {'class_path': 'wsed.models.encoders.crnn.CRNN'}
    """
    return _root(config, _Names(defaults=True))


def expand(config: object) -> object:
    """Replace names by import paths, and write components as `class_path` and `init_args`.

    A network without a class has only `init_args`, so that it can be merged over a network of any class.
    """
    return _root(config, _Names(defaults=False))


def _root(config: object, names: "_Names") -> object:
    if not isinstance(config, dict):
        return config
    return {key: names.resolve(value, root().get(key), None) for key, value in config.items()}


def state_of(before: Mapping[str, object] | None) -> Config:
    """A copy of a configuration, to be changed by settings."""
    return deepcopy(dict(before or {}))


def resolve_arguments(args: Sequence[str], before: Mapping[str, object] | None = None) -> list[str]:
    """`resolve` for arguments: `--model.network.encoder crnn`, `--data=desed` and values in braces.

    Args:
        args: arguments of the command line.
        before: the configuration that they change; it names the classes that the arguments leave out.
    """
    state = state_of(before)
    result: list[str] = []
    flag: str | None = None
    for arg in args:
        if arg.startswith("-"):
            flag, equals, value = arg.partition("=")
            if not equals:
                result.append(arg)
                continue
            result.append(f"{flag}={_argument(flag, value, state)}")
        else:
            result.append(arg if flag is None else _argument(flag, arg, state))
        flag = None
    return result


def _argument(flag: str, text: str, state: Config) -> str:
    """The text of a value with names resolved; the value is also put into `state`."""
    keys = flag.lstrip("-").split(".")
    annotation, before = _descend(keys, state)
    if annotation is None:
        return text
    value = _parsed(text)
    if len(keys) > 1:
        _check_literal(*_descend(keys[:-1], state), keys[-1], yaml_or_text(text))
    resolved = _Names(defaults=True).resolve(value, annotation, before)
    put(state, keys, resolved)
    if isinstance(value, str) and isinstance(resolved, dict) and isinstance(resolved.get("class_path"), str):
        return str(resolved["class_path"])
    return text if resolved == value else json.dumps(resolved)


def annotation_at(path: str, config: Mapping[str, object]) -> object:
    """The annotation of a setting such as `model.network.encoder`; None if it is not known."""
    return _descend(path.split("."), config)[0]


def _descend(keys: Sequence[str], state: object) -> tuple[object, object]:
    """The annotation that dotted keys lead to, None if it is not known, and what the state has there."""
    annotation, before = root().get(keys[0]), at(state, keys[0])
    for key in keys[1:]:
        if key not in ("class_path", "init_args"):
            annotation, before = below(annotation, key, before), at(before, key)
    return annotation, before


def below(annotation: object, key: str, before: object) -> object:
    """The annotation of a setting of the component that an annotation names; `before` holds its class."""
    for member in members(annotation):
        if is_mapping(member):
            return get_args(member)[1]
        for cls in classes_at(member, before):
            hints = arguments_of(cls)
            if key in hints:
                return hints[key]
    return None


def classes_at(annotation: object, config: object) -> Iterator[type]:
    """The class that a configuration names, or all possible classes if it names none."""
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


class _Names:
    """Resolves the names in values of an annotation.

    Args:
        defaults: whether to name the class of a kind that has a default.
    """

    def __init__(self, *, defaults: bool) -> None:
        self.defaults = defaults

    def resolve(self, value: object, annotation: object, before: object) -> object:
        """The value with names resolved; `before` is the value that it changes."""
        for member in members(annotation):
            part = part_of(member)
            if part is not None and isinstance(value, str):
                return {"class_path": _path(part.registry, value)} if _is_name(value) else value
            if part is not None and isinstance(value, dict):
                return self._component(value, part.registry, member, before)
            if is_sequence(member) and isinstance(value, list):
                return [self.resolve(item, get_args(member)[0], None) for item in value]
            if is_mapping(member) and isinstance(value, dict):
                return {key: self.resolve(item, get_args(member)[1], at(before, key)) for key, item in value.items()}
            if part is None and isinstance(member, type) and isinstance(value, dict):
                return self._arguments(value, member, value, before)
        return value

    def _component(self, value: Config, registry: Registry[type], member: object, before: object) -> Config:
        if "class_path" not in value and "init_args" not in value and registry.default is not None:
            value = {"init_args": value}
        path, named = value.get("class_path"), at(before, "class_path")
        if isinstance(path, str):
            value = {**value, "class_path": _path(registry, path)}
        elif self.defaults and registry.default is not None:
            path = named if isinstance(named, str) else _path(registry, registry.default)
            value = {"class_path": path, **value}
        return self._arguments(value, member, value if isinstance(path, str) else before, before)

    def _arguments(self, value: Config, member: object, named: object, before: object) -> Config:
        """The mapping with the names in its arguments resolved: in `init_args`, or beside the class."""
        resolved = dict(value)
        for key, item in value.items():
            if key == "init_args" and isinstance(item, dict):
                resolved[key] = self._arguments(item, member, named, at(before, "init_args"))
            elif key != "class_path":
                _check_literal(member, named, key, item)
                resolved[key] = self.resolve(item, below(member, key, named), at(before, key))
        return resolved


def _check_literal(annotation: object, named: object, key: str, value: object) -> None:
    """Refuse a value that the literals of an argument do not allow, if the class of the argument is known.

    jsonargparse would refuse it too, but without similar names and with all alternatives that it tried.
    """
    for member in members(annotation):
        classes = list(classes_at(member, named))
        choices = choices_of(arguments_of(classes[0]).get(key)) if len(classes) == 1 else None
        if choices is not None:
            choices.check(name_of(classes[0]), key, value)


def _is_name(text: str) -> bool:
    """Whether a text may be a name or an import path, and not other YAML or the name of a file."""
    return bool(text) and text[0] not in "{[" and text != "null" and not text.endswith((".yaml", ".yml"))


def _path(registry: Registry[type], name: str) -> str:
    """The import path of a registered name or class; other import paths and class names are left as they are."""
    if "." in name:  # `wsed.models.CRNN` is the class of `wsed.models.encoders.crnn.CRNN`
        with suppress(WsedError):
            return path_of(registry.find(name))
        return name
    if name not in registry and any(cls.__name__ == name for cls in registry.classes()):
        return name  # which jsonargparse knows
    return path_of(registry[name])


def _parsed(text: str) -> object:
    return yaml_or_text(text) if text[:1] in ("{", "[") else text


def settings_at(annotation: object, before: object) -> list[str]:
    """The settings of the component that an annotation names; none if the user chooses their names."""
    if any(map(is_mapping, members(annotation))):
        return []
    classes = [cls for member in members(annotation) for cls in classes_at(member, before)]
    return list(dict.fromkeys(name for cls in classes for name in arguments_of(cls) if name != "return"))


def at(config: object, key: str) -> object:
    """The value of a key in a configuration, beside the class or in `init_args`."""
    if not isinstance(config, Mapping):
        return None
    arguments = config.get("init_args")
    if key not in config and isinstance(arguments, Mapping):
        return arguments.get(key)
    return config.get(key)


def put(state: Config, keys: Sequence[str], value: object) -> None:
    """Change a setting of a configuration, in place."""
    for key in reversed(keys):
        value = {key: value}
    _merge(state, value)


def _merge(state: Config, config: object) -> None:
    for key, value in config.items() if isinstance(config, dict) else ():
        inner = state.get(key)
        if isinstance(inner, dict) and isinstance(value, dict):
            _merge(inner, value)
        else:
            state[key] = deepcopy(value)
