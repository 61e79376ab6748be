"""One function that makes components from names and arguments; their kind comes from the annotation.

Checkpoints, plugins and nested parts all go through it. Only registered classes are built, and nothing is imported by a
name that a file gives, so a stranger's file executes nothing.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar, get_args, get_origin, overload

from wsed.errors import WsedError
from wsed.literals import hints_of, members
from wsed.registry import REGISTRIES, Registry
from wsed.spec import Spec

T = TypeVar("T")


class Part(NamedTuple):
    """What an annotation asks for: a component of a registry, or a factory of one (`Callable[[int], Encoder]`)."""

    registry: Registry[type]
    factory: bool


@overload
def build(annotation: type[T], value: object, *given: object) -> T: ...
@overload
def build(annotation: object, value: object, *given: object) -> object: ...
def build(annotation: object, value: object, *given: object) -> object:
    """Make what the annotation asks for.

    Args:
        annotation: of an argument: `Encoder`, `Callable[[int], Encoder]`, `Sequence[Head]`, `dict[str, Weighted]`, ...
        value: a registered name, a `Spec` or a mapping of `class_path` and `init_args`, or sequences and mappings of
            them where the annotation has such. Anything else is returned as it is.
        given: arguments that come first, such as the labels of a network.

    Raises:
        WsedError: a class is not registered, or its arguments do not fit.

    >>> from wsed.losses.base import Loss
    >>> build(Loss, {"class_path": "clip_bce", "init_args": {"reduction": "sum"}})
    ClipBCE()
    """
    if isinstance(value, Spec):
        value = value.to_plain()
    kinds = list(members(annotation))
    if isinstance(value, str) and str in kinds:
        return value
    if isinstance(value, str) and Path in kinds:
        return Path(value)
    for member in kinds:
        part = part_of(member)
        if part is not None and is_spec(value):
            factory = _factory(part.registry, Spec.read(value))
            return factory if part.factory else call(factory, *given)
        args = get_args(member)
        if is_sequence(member) and isinstance(value, list):
            return [build(args[0], item) for item in value]
        if is_mapping(member) and isinstance(value, Mapping):
            return {key: build(args[1], item) for key, item in value.items()}
        if isinstance(member, type) and is_dataclass(member) and isinstance(value, Mapping):
            hints = hints_of(member.__init__)
            return call(functools.partial(member, **{k: build(hints.get(k), v) for k, v in value.items()}))
    return value


def part_of(annotation: object) -> Part | None:
    """The registry that an annotation asks a component of; None if it asks for something else."""
    origin = get_origin(annotation)
    if origin is type or origin is Callable or origin is get_origin(Callable[[], None]):
        made = get_args(annotation)[-1]
        parts = [part for member in members(made) if (part := part_of(member)) is not None]
        return parts[0]._replace(factory=True) if parts else None
    if not isinstance(annotation, type):
        return None
    for registry in REGISTRIES:
        if registry.base is not None and registry.base in annotation.__mro__:
            return Part(registry, factory=False)
    return None


def is_spec(value: object) -> bool:
    """Whether a value names a component."""
    return isinstance(value, str) or (isinstance(value, Mapping) and isinstance(value.get("class_path"), str))


def is_sequence(annotation: object) -> bool:
    """Whether it is `list[...]`, `Sequence[...]` or the like."""
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Sequence)


def is_mapping(annotation: object) -> bool:
    """Whether it is `dict[...]`, `Mapping[...]` or the like."""
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def call(factory: Callable[..., T], *given: object) -> T:
    """Call a factory; arguments that do not fit are a `WsedError`, errors from within stay what they are."""
    made, named = (factory.func, factory.keywords) if isinstance(factory, functools.partial) else (factory, {})
    try:
        inspect.signature(made).bind(*given, **named)
    except TypeError as error:
        raise WsedError(f"arguments of {made.__name__}: {error}") from None
    return factory(*given)


def arguments_of(cls: type) -> dict[str, object]:
    """The annotations of a constructor by argument, with those of base classes where it takes `**kwargs` for them."""
    hints: dict[str, object] = {}
    for base in cls.__mro__:
        init: Callable[..., None] | None = vars(base).get("__init__")
        if init is None:
            continue
        hints = hints_of(init) | hints
        if all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in inspect.signature(init).parameters.values()):
            break
    return hints


def _factory(registry: Registry[type], spec: Spec) -> Callable[..., object]:
    cls = registry.find(spec.class_path)
    hints = arguments_of(cls)
    return functools.partial(cls, **{name: build(hints.get(name), value) for name, value in spec.init_args.items()})
