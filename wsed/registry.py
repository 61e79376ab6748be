"""Components by name: `@LOSSES.register("mil")`, `LOSSES["mil"]`, `wsed.components("loss")`, plugins by entry point."""

import importlib
import pkgutil
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from wsed.errors import WsedError
from wsed.errors import check_option as check_option
from wsed.errors import check_options as check_options
from wsed.errors import near as near
from wsed.spec import Registered, path_of, remember

T = TypeVar("T", bound=type)

HOMES = {
    "loss": ("wsed.losses.base", "LOSSES"),
    "frontend": ("wsed.models.base", "FRONTENDS"),
    "encoder": ("wsed.models.base", "ENCODERS"),
    "head": ("wsed.models.base", "HEADS"),
    "network": ("wsed.models.base", "NETWORKS"),
    "augment": ("wsed.augment.base", "AUGMENTS"),
    "decoder": ("wsed.decoding.base", "DECODERS"),
    "metric": ("wsed.metrics.base", "METRICS"),
    "corpus": ("wsed.data.corpus.base", "CORPORA"),
    "reader": ("wsed.data.reading.base", "READERS"),
}
"""Module and name of the registry of each kind, as strings, so that listing the kinds imports nothing."""

REGISTRIES: "list[Registry[Any]]" = []
"""Those that were made so far."""


class Registry(Generic[T]):
    """Names for the classes of one kind.

    A registered class checks the arguments that are annotated as `Literal`, and remembers how its instances were made
    (`wsed.spec.spec_of`).

    Args:
        kind: what they are (`"loss"`); plugins declare them under the entry point group `wsed.<kind>`.
        package: whose modules register the built-in ones; imported at the first look-up, so a new file is enough.
        base: the class they derive from; an argument annotated with it takes a registered name in YAML.
        given: how many leading arguments of the constructor come from whoever builds it: of an encoder `n_bands`.
        default: the name that is taken where a configuration has arguments and no name.
    """

    def __init__(
        self, kind: str, package: str, base: T | None = None, given: int = 0, default: str | None = None
    ) -> None:
        self.kind, self.base, self.default = kind, base, default
        self._package, self._given = package, given
        self._classes: dict[str, T] = {}
        self._plugins: dict[str, EntryPoint] = {}
        self._complete = False
        REGISTRIES.append(self)

    def register(self, name: str) -> Callable[[T], T]:
        """Class decorator, above `@dataclass` where there is one; a `WsedError` if another class has the name."""

        def add(cls: T) -> T:
            taken = self._classes.setdefault(name, cls)
            if path_of(taken) != path_of(cls):
                raise WsedError(f"{self.kind} {name!r} is already {path_of(taken)}")
            remember(cls, Registered(self.kind, name, self._given))
            return cls

        return add

    def names(self) -> list[str]:
        """All names, sorted: built-in ones and plugins."""
        self._load()
        return sorted({*self._classes, *self._plugins})

    def classes(self) -> list[T]:
        """All classes, by their names' order; a plugin that cannot be loaded is left out."""
        classes = []
        for name in self.names():
            with suppress(WsedError):
                classes.append(self[name])
        return classes

    def find(self, path: str) -> T:
        """The class of a registered name, or of an import path of a registered class; nothing is imported for it.

        Raises:
            WsedError: the name is unknown, or the path is of no registered class.
        """
        if "." not in path:
            return self[path]
        module, _, name = path.rpartition(".")
        classes = self.classes()  # loads the plugins
        public = getattr(sys.modules.get(module), name, None)  # as `wsed.Composed`, which is defined elsewhere
        for cls in classes:
            if cls is public:
                return cls
        raise WsedError(f"{self.kind} {path!r} is not registered with wsed")

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._classes or name in self._plugins

    def __getitem__(self, name: str) -> T:
        """The class, or a `WsedError` with near names."""
        self._load()
        if name not in self:
            raise WsedError(f"unknown {self.kind} {name!r}{near(name, self.names())}; known: {', '.join(self.names())}")
        if name not in self._classes:  # loaded when asked for: a broken plugin stops nobody else
            plugin = self._plugins[name]
            try:
                self.register(name)(plugin.load())
            except Exception as error:
                raise WsedError(f"{self.kind} plugin {name!r} ({plugin.value}) cannot be loaded: {error}") from error
        return self._classes[name]

    def _load(self) -> None:
        if self._complete:
            return
        self._complete = True
        package = importlib.import_module(self._package)
        for module in pkgutil.walk_packages(package.__path__, f"{self._package}."):
            importlib.import_module(module.name)
        self._plugins = {p.name: p for p in entry_points(group=f"wsed.{self.kind}") if p.name not in self._classes}


def registry(kind: str) -> "Registry[Any]":
    """The registry of a kind."""
    if kind not in HOMES:
        raise WsedError(f"unknown kind {kind!r}{near(kind, HOMES)}; known: {', '.join(HOMES)}")
    module, name = HOMES[kind]
    found = vars(importlib.import_module(module))[name]
    assert isinstance(found, Registry), f"{module}.{name}"
    return found


def components(kind: str) -> list[str]:
    """The names that are registered for a kind, such as `loss` or `encoder`.

    >>> "crnn" in components("encoder")
    True

    Raises:
        WsedError: there is no such kind.
    """
    return registry(kind).names()
