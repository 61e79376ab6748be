"""Components by name: `@LOSSES.register("mil")`, `LOSSES["mil"]`, `wsed.list("loss")`, and plugins by entry point."""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from wsed.errors import WsedError

T = TypeVar("T", bound=type[Any])

HOMES = {
    "loss": ("wsed.losses.base", "LOSSES"),
    "frontend": ("wsed.models.base", "FRONTENDS"),
    "encoder": ("wsed.models.base", "ENCODERS"),
    "head": ("wsed.models.base", "HEADS"),
    "network": ("wsed.models.base", "NETWORKS"),
    "corpus": ("wsed.data.corpus.base", "CORPORA"),
    "reader": ("wsed.data.reading.base", "READERS"),
}
"""Where the registry of each kind lives: a data sheet, so that listing kinds imports nothing."""

ALIASES = {"detector": "network", "tagger": "network", "student": "network"}
"""Parts of a configuration that are of a kind under another name."""


class Registry(Generic[T]):
    """Names for the classes of one kind.

    Args:
        kind: what they are (`"loss"`); plugins declare them under the entry point group `wsed.<kind>`.
        package: whose modules register the built-in ones; imported at the first look-up, so a new file is enough.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind, self._package, self._found = kind, package, dict[str, T]()
        self._plugins: dict[str, EntryPoint] = {}
        self._complete = False

    def register(self, name: str) -> Callable[[T], T]:
        """Class decorator; a `WsedError` if another class has the name."""

        def add(cls: T) -> T:
            taken = self._found.setdefault(name, cls)
            if (taken.__module__, taken.__qualname__) != (cls.__module__, cls.__qualname__):
                raise WsedError(f"{self.kind} {name!r} is already {taken.__module__}.{taken.__qualname__}")
            return cls

        return add

    def names(self) -> list[str]:
        """All names, sorted: built-in ones and plugins."""
        self._load()
        return sorted({*self._found, *self._plugins})

    def classes(self) -> list[T]:
        """All classes, by their names' order; a plugin that cannot be loaded is left out."""
        found = []
        for name in self.names():
            with suppress(WsedError):
                found.append(self[name])
        return found

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._found or name in self._plugins

    def __getitem__(self, name: str) -> T:
        """The class, or a `WsedError` with near names."""
        self._load()
        if name not in self:
            raise WsedError(f"unknown {self.kind} {name!r}{near(name, self.names())}; known: {', '.join(self.names())}")
        if name not in self._found:  # loaded when asked for: a broken plugin stops nobody else
            plugin = self._plugins[name]
            try:
                self.register(name)(plugin.load())
            except Exception as error:
                raise WsedError(f"{self.kind} plugin {name!r} ({plugin.value}) cannot be loaded: {error}") from error
        return self._found[name]

    def _load(self) -> None:
        if self._complete:
            return
        self._complete = True
        package = importlib.import_module(self._package)
        for module in pkgutil.walk_packages(package.__path__, f"{self._package}."):
            importlib.import_module(module.name)
        self._plugins = {p.name: p for p in entry_points(group=f"wsed.{self.kind}") if p.name not in self._found}


def near(name: str, known: Iterable[str]) -> str:
    """` (did you mean mil?)` where a known name resembles `name`, else nothing."""
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" (did you mean {' or '.join(found)}?)" if found else ""


def check_option(owner: str, option: str, value: object, known: Iterable[object]) -> None:
    """A `WsedError` with the known values, and near ones, where an option of a component has none of them."""
    choices = list(known)
    if value not in choices:
        names = [str(choice) for choice in choices]
        raise WsedError(f"{owner}: unknown {option} {value!r}{near(str(value), names)}; known: {', '.join(names)}")


def check_options(owner: str, known: Mapping[str, Iterable[object]], **chosen: object) -> None:
    """`check_option` for several, each by its name in `known`."""
    for option, value in chosen.items():
        check_option(owner, option, value, known[option])


def registry(kind: str) -> Registry[Any]:
    """The registry of a kind: loss, frontend, encoder, head, network, corpus or reader."""
    if kind not in HOMES:
        raise WsedError(f"unknown kind {kind!r}{near(kind, HOMES)}; known: {', '.join(HOMES)}")
    module, name = HOMES[kind]
    found: Registry[Any] = getattr(importlib.import_module(module), name)
    return found


def list_names(kind: str) -> list[str]:
    """The names registered for a kind; public as `wsed.list(kind)`."""
    return registry(kind).names()
