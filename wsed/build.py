"""`build` makes components from names and arguments; the annotation of an argument decides the kind of component.

Checkpoints, plugins and nested components all go through it. It builds registered classes only and imports nothing that
a file names, so a file from a stranger cannot execute code.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import is_dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar, get_args, get_origin, overload

from wsed.errors import WsedError
from wsed.literals import hints_of, members
from wsed.registry import REGISTRIES, Registry
from wsed.spec import Spec

T = TypeVar("T")


class Part(NamedTuple):
    """The kind of component that an annotation names, and whether it names a factory: `Callable[[int], Encoder]`."""

    registry: Registry[type]
    factory: bool


@overload
def build(annotation: type[T], value: object, *leading: object) -> T: ...
@overload
def build(annotation: object, value: object, *leading: object) -> object: ...
def build(annotation: object, value: object, *leading: object) -> object:
    """Build the value of an argument from its annotation and its configuration.

    Args:
        annotation: the argument's annotation: `Encoder`, `Callable[[int], Encoder]`, `Sequence[Head]`,
            `dict[str, Weighted]`, ...
        value: a registered name, a `Spec`, or a mapping with `class_path` and `init_args`; a list or mapping of these
            if the annotation is a sequence or mapping. Any other value is returned unchanged.
        leading: the first arguments of the constructor, such as the labels of a network.

    Raises:
        WsedError: a class is not registered, or the arguments do not fit its constructor.

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
            return factory if part.factory else call(factory, *leading)
        args = get_args(member)
        if is_sequence(member) and isinstance(value, list):
            return [build(args[0], item) for item in value]
        if is_mapping(member) and isinstance(value, Mapping):
            return {key: build(args[1], item) for key, item in value.items()}
        if isinstance(member, type) and is_dataclass(member) and isinstance(value, Mapping):
            hints = hints_of(member.__init__)
            return call(functools.partial(member, **{k: build(hints.get(k), v) for k, v in value.items()}))
        if get_origin(member) is get_origin(Callable[[], None]) and isinstance(value, Mapping) and is_spec(value):
            raise WsedError(
                f"{value['class_path']} is not registered with wsed; files may name only registered classes"
            )
    return value


def part_of(annotation: object) -> Part | None:
    """The kind of component that an annotation names; None if it names no component.

    >>> from wsed.losses.base import Loss
    >>> part_of(Loss).registry.kind, part_of(int)
    ('loss', None)
    """
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
    """Whether a value names a component.

    >>> is_spec("mil"), is_spec({"class_path": "mil"}), is_spec(3)
    (True, True, False)
    """
    return isinstance(value, str) or (isinstance(value, Mapping) and isinstance(value.get("class_path"), str))


def is_sequence(annotation: object) -> bool:
    """Whether an annotation is `list[...]`, `Sequence[...]` or another sequence."""
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Sequence)


def is_mapping(annotation: object) -> bool:
    """Whether an annotation is `dict[...]`, `Mapping[...]` or another mapping."""
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def call(factory: Callable[..., T], *arguments: object) -> T:
    """Call a factory. Arguments that do not fit raise a `WsedError`; errors inside the factory are passed on.

    >>> call(functools.partial(Spec, init_args={}), "mil")
    Spec(class_path='mil', init_args={})
    """
    function, keywords = (factory.func, factory.keywords) if isinstance(factory, functools.partial) else (factory, {})
    try:
        inspect.signature(function).bind(*arguments, **keywords)
    except TypeError as error:
        raise WsedError(f"arguments of {function.__name__}: {error}") from None
    return factory(*arguments)


def arguments_of(cls: type) -> dict[str, object]:
    """The annotation of each argument of a constructor, also of its base classes if it takes `**kwargs`.

    >>> from wsed.losses.prototypical import Prototypical
    >>> "distance" in arguments_of(Prototypical)
    True
    """
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


_LOADED: ContextVar[bool] = ContextVar("_LOADED", default=False)


@contextmanager
def weights_are_loaded() -> Iterator[None]:
    """Build networks whose weights are loaded afterwards, so that none need be drawn.

    The first orthogonal matrix of a process takes up to 0.8 s on a busy machine.

    >>> with weights_are_loaded():
    ...     initial_weights_matter()
    False
    """
    token = _LOADED.set(True)
    try:
        yield
    finally:
        _LOADED.reset(token)


def initial_weights_matter() -> bool:
    """Whether a network that is built now keeps its initial weights.

    >>> initial_weights_matter()
    True
    """
    return not _LOADED.get()
