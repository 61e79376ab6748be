"""The spec of a component: its name and constructor arguments as plain values, enough to build it again.

Instances of a registered class remember their arguments. So every network, loss or decoder can be written into a
checkpoint, whether YAML or Python code built it.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from types import FunctionType
from typing import Annotated, NamedTuple, get_args, get_origin

from wsed.errors import WsedError
from wsed.literals import OWNERS, Literals, hints_of, owner_of

_SPEC = "_wsed_spec"
_OTHERS = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class StartsOnly:
    """Marks an argument that matters only at the start of a training; a spec leaves it out."""


StartingWeights = Annotated[str | None, StartsOnly]
"""Path of the weights from which a training starts. A checkpoint holds the weights themselves."""


@dataclass(frozen=True)
class Spec:
    """A component as plain values: its name and its constructor arguments.

    Args:
        class_path: the registered name, or the import path of a class that is not registered.
        init_args: the arguments as plain values. An argument that is a component or a factory is a mapping with
            `class_path` and `init_args` itself.

    >>> Spec.read("mil").to_plain()
    {'class_path': 'mil', 'init_args': {}}
    """

    class_path: str
    init_args: Mapping[str, object] = field(default_factory=dict)

    def to_plain(self) -> dict[str, object]:
        """The spec as nested dicts and lists, as in YAML and checkpoints."""
        return {"class_path": self.class_path, "init_args": dict(self.init_args)}

    @classmethod
    def read(cls, value: object) -> "Spec":
        """The spec from the result of `to_plain`, or from a name alone.

        Raises:
            WsedError: `value` is neither.
        """
        if isinstance(value, str):
            return cls(value)
        if isinstance(value, Mapping) and isinstance(value.get("class_path"), str):
            return cls(value["class_path"], value.get("init_args") or {})
        raise WsedError(f"expected a registered name, or class_path and init_args, not {value!r}")


class Registered(NamedTuple):
    """The kind and name under which a class is registered, and `n_leading` of its registry."""

    kind: str
    name: str
    n_leading: int


REGISTERED: dict[type, Registered] = {}
_REMEMBERING: set[Callable[..., None]] = set()
"""The constructors that `remember` has wrapped already."""


def spec_of(component: object) -> Spec:
    """The spec of a component, of a class, or of a `functools.partial` of a class.

    Raises:
        WsedError: there is no spec: the component is a lambda, or an argument cannot be written as a plain value.

    >>> from wsed.decoding import StepDecoder
    >>> spec_of(StepDecoder(threshold=0.3)).init_args["threshold"]
    0.3
    """
    if isinstance(component, functools.partial):
        return _spec_of_partial(component)
    if isinstance(component, type):
        return _spec(component, {})
    if isinstance(component, FunctionType):
        name = component.__qualname__
        raise WsedError(
            f"the function {name} is not a registered component; give a class, or a functools.partial of one"
        )
    try:
        spec = vars(component).get(_SPEC)
    except TypeError:  # no __dict__
        spec = None
    if isinstance(spec, str):
        raise WsedError(spec)
    if not isinstance(spec, Spec):
        raise WsedError(f"{path_of(type(component))} is not registered with wsed")
    return spec


def path_of(cls: type) -> str:
    """The import path of a class.

    >>> path_of(Spec)
    'wsed.spec.Spec'
    """
    return f"{cls.__module__}.{cls.__qualname__}"


def remember(cls: type, registered: Registered) -> None:
    """Wrap the constructor of a class: instances remember their spec, and `Literal` arguments are checked."""
    REGISTERED[cls] = registered
    init: Callable[..., None] = cls.__init__
    if init in _REMEMBERING:
        return
    literals = Literals(init)

    @functools.wraps(init)
    def checked_init(self: object, *args: object, **kwargs: object) -> None:
        literals.check(name_of(type(self) if type(self) in REGISTERED else cls), (self, *args), kwargs)
        init(self, *args, **kwargs)
        if type(self).__init__ is checked_init:  # a subclass with its own constructor has other arguments
            object.__setattr__(self, _SPEC, _record(type(self), init, args, kwargs))

    _REMEMBERING.add(checked_init)
    OWNERS[checked_init] = name_of(cls)
    cls.__init__ = checked_init


def name_of(cls: type) -> str:
    """The name of a class in messages: `encoder crnn`, `data.windows`; else the name of the class itself."""
    known = REGISTERED.get(cls)
    if known is not None:
        return f"{known.kind} {known.name}"
    return owner_of(cls.__init__) or cls.__name__


def _record(cls: type, init: Callable[..., None], args: tuple[object, ...], kwargs: Mapping[str, object]) -> Spec | str:
    """The spec of a constructor call, or the reason why there is none."""
    bound = inspect.signature(init).bind(None, *args, **kwargs)
    named = {name: bound.arguments[name] for name, p in bound.signature.parameters.items() if name in bound.arguments}
    for name, parameter in bound.signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            named |= named.pop(name, {})
    try:
        return _spec(cls, named)
    except WsedError as error:
        return str(error)


def _spec(cls: type, arguments: Mapping[str, object]) -> Spec:
    """The spec of a class and its arguments. Defaults are written too, since a later version may change them."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    hints = hints_of(cls.__init__)
    values: dict[str, object] = {}
    for parameter in parameters[_n_leading(cls) :]:
        if parameter.kind in _OTHERS:
            continue
        value = arguments.get(parameter.name, parameter.default)
        if value is not inspect.Parameter.empty and not _starts_only(hints.get(parameter.name)):
            values[parameter.name] = _plain(value, f"argument {parameter.name!r} of {cls.__name__}")
    named = {parameter.name for parameter in parameters}
    more = {name: value for name, value in arguments.items() if name not in named and name != "self"}
    values |= {name: _plain(value, f"argument {name!r} of {cls.__name__}") for name, value in more.items()}
    known = REGISTERED.get(cls)
    return Spec(path_of(cls) if known is None else known.name, values)


def _n_leading(cls: type) -> int:
    return next((known.n_leading for base in cls.__mro__ if (known := REGISTERED.get(base)) is not None), 0)


def _starts_only(annotation: object) -> bool:
    return get_origin(annotation) is Annotated and StartsOnly in get_args(annotation)


def _spec_of_partial(factory: "functools.partial[object]") -> Spec:
    # jsonargparse makes partials of its own function: partial(instantiate, ..., cls, channels=4)
    parts = [part for part in (factory.func, *factory.args) if not isinstance(part, FunctionType)]
    if len(parts) != 1 or not isinstance(parts[0], type):
        raise WsedError(f"{factory} is not a partial of a class with named arguments")
    return _spec(parts[0], factory.keywords)


def _plain(value: object, what: str) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(item, what) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(item, what) for item in value), key=str)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(item, what) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type) and type(value) not in REGISTERED:
        return {f.name: _plain(vars(value)[f.name], what) for f in fields(value) if f.init}
    try:
        return spec_of(value).to_plain()
    except WsedError as error:
        raise WsedError(f"{what} cannot be written as a plain value: {error}") from None
