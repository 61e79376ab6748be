"""Finds mistakes in a configuration before it is parsed: what is wrong, where, and what to write, in one line."""

import importlib
import inspect
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Literal, TypeAlias, get_args, get_origin

import yaml

from wsed.build import Part, arguments_of, is_mapping, is_sequence, part_of
from wsed.cli.advice import (
    EXAMPLES,
    OTHERS,
    check_beside,
    check_named,
    check_section,
    flow,
    last,
    not_imported,
    unknown,
)
from wsed.cli.check_torch import HOMES, check_torch
from wsed.cli.names import root
from wsed.errors import WsedError, near, with_article
from wsed.literals import members
from wsed.registry import Registry
from wsed.spec import REGISTERED
from wsed.text import parse_yaml

Config: TypeAlias = Mapping[str, object]

MORE = ("return", "args", "kwargs", "moved")
"""Names in annotations of constructors that are not settings."""

WORDS: dict[object, str] = {
    int: "a whole number", float: "a number", bool: "true or false", str: "a text", Path: "a path", NoneType: "null"
}  # fmt: skip


def check_settings(config: Config, flags: Collection[str] = ()) -> None:
    """Refuse a configuration with a setting that does not exist, or with a value of the wrong type.

    What only the parser can check is left to it.

    Args:
        config: the configuration, with names resolved and files merged.
        flags: settings on the command line, such as `data.corpus.root`; the values that they replace are not checked.

    Raises:
        WsedError: with the setting, similar names, and what to write.

    >>> check_settings({"model": {"losses": {"tags": "mil"}}})
    Traceback (most recent call last):
    wsed.errors.WsedError: model.losses.tags is 'mil', expected settings (loss, weight); write tags: {loss: mil}
    """
    for key, value in config.items():
        if key not in sections() and key not in OTHERS:
            raise WsedError(unknown("", str(key), [*sections(), *OTHERS]))
        if key in OTHERS:
            check_other(value, key, flags)
        elif key not in flags:
            check_section(value, key)
        if key in sections() and isinstance(value, dict):
            _arguments(value, sections()[key], key, flags)


def check_other(value: object, key: str, flags: Collection[str] = ()) -> None:
    """Refuse a value of a setting outside the sections that is of a wrong type, or a time that is not positive.

    >>> check_other("3", "seed_everything")  # a number in quotes, which the parser takes
    """
    kinds = list(members(OTHERS[key]))
    if isinstance(value, str) and str not in kinds:
        with suppress(yaml.YAMLError):
            value = parse_yaml(value)
    check_value(value, OTHERS[key], key, flags)
    if key == "rank_timeout" and key not in flags and isinstance(value, int | float):
        check_timeout(value)


def check_timeout(seconds: float) -> None:
    """Refuse a time to wait that is not positive."""
    if not seconds > 0:
        raise WsedError(f"rank_timeout is {seconds:g}, expected seconds above 0")


def require(config: Config, flags: Collection[str]) -> None:
    """Refuse a configuration that lacks a network, losses or a corpus.

    Raises:
        WsedError: with the first missing setting, and what to write.
    """
    for name in ("model.network", "model.losses", "data.corpus"):
        section, key = name.split(".")
        part = config.get(section)
        given = part.get(key) if isinstance(part, dict) else None
        if not given and not is_given(flags, name):
            raise WsedError(
                f"{name} is {'missing' if given is None else 'empty'}; write {section}: {{{EXAMPLES[name]}}}"
            )


def is_given(flags: Collection[str], *paths: str) -> bool:
    """Whether the command line has one of these settings, or one below it.

    >>> is_given(["data.batch.weak"], "data.batch"), is_given(["data.batch_size"], "data.batch")
    (True, False)
    """
    return any(f"{flag}.".startswith(f"{path}.") for flag in flags for path in paths)


@cache
def sections() -> Mapping[str, object]:
    """The class of each section of a configuration; its arguments are the settings of the section."""
    from lightning.pytorch import Trainer

    return {**root(), "trainer": Trainer}


def check_value(value: object, annotation: object, path: str, flags: Collection[str] = ()) -> None:
    """Refuse a value that does not fit its annotation; errors as in `check_settings`."""
    kinds = list(members(annotation))
    if path in HOMES:
        check_torch(value, path)
        return
    if path in ("trainer.callbacks", "trainer.logger") and not is_given(flags, path):
        check_named(value, path)
    if value is None or path in flags or not all(map(_is_known, kinds)):
        return
    if not any(_takes(value, kind, path, flags) for kind in kinds):
        raise WsedError(_expected(value, kinds, path))


def _takes(value: object, kind: object, path: str, flags: Collection[str]) -> bool:
    """Whether a type takes values of this form; the parts of the value are checked."""
    part, inner = part_of(kind), get_args(kind)
    if part is not None and isinstance(value, str | dict):
        _component(value, part, path, flags)
        return True
    if is_sequence(kind) and isinstance(value, list):
        for item in value:
            check_value(item, inner[0], path, flags)
        return True
    if is_mapping(kind) and isinstance(value, dict):
        for key, item in value.items():
            check_value(item, inner[1], f"{path}.{key}", flags)
        return True
    if part is None and _is_class(kind) and isinstance(value, dict):
        if "class_path" in value:
            return "." in str(value["class_path"])
        _arguments(value, kind, path, flags)
        return True
    return _fits(value, kind) or (_is_class(kind) and isinstance(value, str) and "." in value)


def _arguments(value: Config, cls: object, path: str, flags: Collection[str]) -> None:
    """Check each argument of a class."""
    assert isinstance(cls, type)
    hints = settings_of(cls)
    for key, item in value.items():
        if key in hints:
            check_value(item, hints[key], f"{path}.{key}", flags)
        elif not _takes_more(cls):
            raise WsedError(unknown(path, str(key), list(hints)))


def settings_of(cls: type) -> dict[str, object]:
    """The annotations of the settings of a class, by name, without the arguments that its builder supplies."""
    hints = arguments_of(cls)
    registered = REGISTERED.get(cls)
    leading = list(hints)[: registered.n_leading] if registered is not None else []
    return {name: hint for name, hint in hints.items() if name not in {*leading, *MORE}}


def _takes_more(cls: type) -> bool:
    """Whether a class takes settings that its constructor does not name."""
    from torch.nn import Module

    if cls in sections().values() or inspect.unwrap(cls.__init__) is Module.__init__:
        return False  # that of `Module` takes any by its signature, and refuses all
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(cls).parameters.values())


def _component(value: object, part: Part, path: str, flags: Collection[str]) -> None:
    """Check a component: a name, an import path, or a class with its arguments."""
    registry = part.registry
    name = value.get("class_path", registry.default) if isinstance(value, dict) else value
    if name is None:
        arguments = value.get("init_args", value) if isinstance(value, dict) else {}
        example = f"{{class_path: {registry.names()[0]}, init_args: {flow(arguments)}}}"
        raise WsedError(f"{path} names no class; write {last(path)}: {example}")
    if not isinstance(name, str) or name.endswith((".yaml", ".yml")):
        return
    cls = _class(name, registry, path)
    if cls is None:  # a function that makes the component
        return
    if inspect.isabstract(cls) or cls is registry.base:
        raise WsedError(f"{path}: {cls.__name__} is abstract; name one of {', '.join(registry.names())}")
    if isinstance(value, dict):
        check_beside(value, path)
        arguments = value.get("init_args")
        _arguments(arguments if isinstance(arguments, dict) else {}, cls, path, flags)


def _class(name: str, registry: Registry[type], path: str) -> type | None:
    """The class of a name or an import path; None for a function.

    Raises:
        WsedError: there is no such class.
    """
    known = ", ".join(registry.names())
    if "." not in name:
        classes = {cls.__name__: cls for cls in registry.classes()}
        if name not in registry and name not in classes:
            raise WsedError(f"{path}: unknown {registry.kind} {name!r}{near(name, registry.names())}; known: {known}")
        return registry[name] if name in registry else classes[name]
    module, _, attribute = name.rpartition(".")
    try:
        home = importlib.import_module(module)
    except Exception as error:
        raise WsedError(f"{path}: {not_imported(module, error)}; known by name: {known}") from None
    cls = getattr(home, attribute, None)
    if cls is None:
        raise WsedError(f"{path}: {module} has no {attribute}{near(attribute, vars(home))}; known by name: {known}")
    return cls if isinstance(cls, type) else None


def _is_known(kind: object) -> bool:
    """Whether it is known which values a type takes."""
    known = kind in WORDS or get_origin(kind) is Literal or part_of(kind) is not None
    return known or is_sequence(kind) or is_mapping(kind) or _is_class(kind)


def _is_class(kind: object) -> bool:
    """Whether it is a class of wsed whose settings can be given."""
    return isinstance(kind, type) and kind.__module__.partition(".")[0] == "wsed"


def _fits(value: object, kind: object) -> bool:
    if kind is bool:
        return isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    return isinstance(value, str | int | float) if kind in (str, Path) else False


def _expected(value: object, kinds: Sequence[object], path: str) -> str:
    choices = [choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
    if choices and isinstance(value, str):
        names = list(dict.fromkeys(map(str, choices)))
        return f"{path}: unknown {last(path)} {value!r}{near(value, names)}; known: {', '.join(names)}"
    words = " or ".join(dict.fromkeys(_word(kind) for kind in kinds))
    return f"{path} is {_shown(value)}, expected {words}{_write(value, kinds, path)}"


def _word(kind: object) -> str:
    part = part_of(kind)
    if part is not None:
        return with_article(part.registry.kind)
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    if is_sequence(kind) or is_mapping(kind):
        return "a list" if is_sequence(kind) else "a mapping"
    if kind in WORDS:
        return WORDS[kind]
    names = settings_of(kind) if isinstance(kind, type) else {}
    return (
        f"settings ({', '.join(names)})"
        if names
        else f"a {kind.__name__}"
        if isinstance(kind, type)
        else "another value"
    )


def _write(value: object, kinds: Sequence[object], path: str) -> str:
    """What to write instead."""
    if path in EXAMPLES:
        example = EXAMPLES[path]
        number = isinstance(value, int) and not isinstance(value, bool)
        return f"; write {example.replace('8', str(value)) if number else example}"
    for kind in kinds:
        if is_sequence(kind) and isinstance(value, str):
            return f"; write {last(path)}: [{', '.join(name.strip() for name in value.split(','))}]"
        if _is_class(kind) and isinstance(kind, type) and part_of(kind) is None:
            first, hint = next(iter(settings_of(kind).items()), ("", None))
            takes, name = part_of(hint), value.get("class_path") if isinstance(value, dict) else value
            if takes is not None and isinstance(name, str) and name in takes.registry:
                return f"; write {last(path)}: {{{first}: {flow(value) if isinstance(value, dict) else value}}}"
    return ""


def _shown(value: object) -> str:
    return repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:80]}..."
