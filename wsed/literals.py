"""Checks of arguments that are annotated with `Literal`, at the call of a function or component."""

import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints, overload

from wsed.errors import check_option

F = TypeVar("F", bound=Callable[..., object])

OWNERS: dict[Callable[..., object], str] = {}
"""The name of each checked function or constructor in messages."""


@overload
def checked(made: F) -> F: ...
@overload
def checked(*, owner: str) -> Callable[[F], F]: ...
def checked(made: F | None = None, *, owner: str | None = None) -> F | Callable[[F], F]:
    """Decorate a function or a dataclass: a value that its `Literal` annotations do not allow raises a `WsedError`.

    Registered classes need no decorator: their registry checks them.

    Args:
        made: the function, or the class whose constructor is checked.
        owner: the name in messages, such as the setting of a class; the name of the function if None.

    >>> @checked
    ... def average(over: Literal["clip", "frame"] = "clip") -> str:
    ...     return over
    >>> average("frames")
    Traceback (most recent call last):
    wsed.errors.WsedError: average: unknown over 'frames' (did you mean frame?); known: clip, frame
    """

    def decorate(made: F) -> F:
        name = owner or made.__name__
        if not isinstance(made, type):
            return _checking(made, name)
        init: Callable[..., None] = made.__init__
        made.__init__ = _checking(init, name)
        return made

    return decorate if made is None else decorate(made)


def owner_of(function: Callable[..., object]) -> str | None:
    """The name of a `checked` function or constructor in messages; None if it is not checked."""
    return OWNERS.get(function)


def _checking(function: F, owner: str) -> F:
    literals = Literals(function)

    @functools.wraps(function)
    def call(*args: object, **kwargs: object) -> object:
        literals.check(owner, args, kwargs)
        return function(*args, **kwargs)

    OWNERS[call] = owner
    return cast("F", call)


class Literals:
    """The arguments of a function that are annotated with `Literal`; the annotations are read at the first check.

    >>> def average(over: Literal["clip", "frame"]) -> None: ...
    >>> Literals(average).check("average", ["clip"], {})
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self._choices: list[tuple[int, str, Choices]] | None = None

    def check(self, owner: str, args: Sequence[object], kwargs: Mapping[str, object]) -> None:
        """Raise a `WsedError` for a value that is not allowed; the message names `owner`, argument and known values."""
        if self._choices is None:
            self._choices = self._read()
        for position, name, choices in self._choices:
            if name in kwargs:
                choices.check(owner, name, kwargs[name])
            elif position < len(args):
                choices.check(owner, name, args[position])

    def _read(self) -> list[tuple[int, str, "Choices"]]:
        hints = hints_of(self._function)
        parameters = enumerate(inspect.signature(self._function).parameters.values())
        # a keyword-only argument has no position
        places = [(sys.maxsize if p.kind is p.KEYWORD_ONLY else i, p.name) for i, p in parameters]
        return [(i, name, choices) for i, name in places if (choices := choices_of(hints.get(name))) is not None]


@dataclass(frozen=True)
class Choices:
    """The values that an annotation with `Literal` allows.

    Args:
        known: the values of the `Literal`.
        others: whether other values that are not strings are allowed too, as in `Literal["all"] | int`.
    """

    known: tuple[object, ...]
    others: bool

    def check(self, owner: str, option: str, value: object) -> None:
        """Raise a `WsedError` if `value` is not allowed."""
        if self.others and not isinstance(value, str):
            return
        if not any(value is one or (type(value) is type(one) and value == one) for one in self.known):
            check_option(owner, option, repr(value) if value in self.known else value, self.known)


def choices_of(annotation: object) -> Choices | None:
    """The values that an annotation allows; None if it has no `Literal`, or also allows any string.

    >>> choices_of(Literal["mean", "sum"] | None)
    Choices(known=('mean', 'sum', None), others=False)
    """
    kinds = list(members(annotation))
    literals = [kind for kind in kinds if get_origin(kind) is Literal]
    if not literals or str in kinds:
        return None
    known = [value for kind in literals for value in get_args(kind)]
    nothing = type(None) in kinds
    others = len(kinds) > len(literals) + nothing
    return Choices((*known, None) if nothing else tuple(known), others)


def members(annotation: object) -> Iterator[object]:
    """The members of a union or of an optional type, without `Annotated`; any other annotation is its only member.

    >>> list(members(int | None))
    [<class 'int'>, <class 'NoneType'>]
    """
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from members(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from members(member)
    else:
        yield annotation


def hints_of(function: Callable[..., object]) -> dict[str, object]:
    """The annotation of each argument of a function; empty if one of them cannot be resolved.

    >>> hints_of(choices_of)["annotation"]
    <class 'object'>
    """
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, AttributeError, TypeError):
        return {}
