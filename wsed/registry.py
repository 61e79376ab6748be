"""Registries of components: `@LOSSES.register("mil")`, `LOSSES["mil"]`, `wsed.components("loss")`; and plugins."""

import importlib
import pkgutil
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from wsed.errors import WsedError
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
"""Module and name of the registry of each kind; strings, so that listing the kinds imports nothing."""

REGISTRIES: "list[Registry[Any]]" = []
"""The registries that have been imported so far."""


class Registry(Generic[T]):
    """The classes of one kind by name.

    A registered class checks its arguments that are annotated with `Literal`, and its instances remember the arguments
    of their constructor (`wsed.spec.spec_of`).

    Args:
        kind: the kind of component, such as `loss`. Plugins use the entry point group `wsed.<kind>`.
        package: package whose modules register the built-in classes. All its modules are imported at the first
            look-up, so a new component needs only a new file.
        base: base class of the components. An argument annotated with it takes a registered name in YAML.
        n_leading: number of leading constructor arguments that the caller supplies when it builds the component, not
            the configuration: `n_bands` of an encoder, for example.
        default: the class that is used if a configuration has arguments and no name.

    >>> from wsed.losses.base import LOSSES
    >>> "mil" in LOSSES, LOSSES["mil"].__name__, repr(LOSSES)[:24]
    (True, 'MIL', 'Registry(loss: asymmetri')
    """

    def __init__(
        self, kind: str, package: str, base: T | None = None, n_leading: int = 0, default: str | None = None
    ) -> None:
        self.kind, self.base, self.default = kind, base, default
        self._package, self._n_leading = package, n_leading
        self._classes: dict[str, T] = {}
        self._plugins: dict[str, EntryPoint] = {}
        self._complete = False
        REGISTRIES.append(self)

    def register(self, name: str) -> Callable[[T], T]:
        """Class decorator that registers a class under a name; it goes above `@dataclass`.

        Raises:
            WsedError: another class has the name.
        """

        def add(cls: T) -> T:
            taken = self._classes.setdefault(name, cls)
            if path_of(taken) != path_of(cls):
                raise WsedError(f"{self.kind} {name!r} is already the name of {path_of(taken)}")
            remember(cls, Registered(self.kind, name, self._n_leading))
            return cls

        return add

    def __repr__(self) -> str:
        return f"Registry({self.kind}: {', '.join(self.names())})"

    def names(self) -> list[str]:
        """All names, sorted: built-in components and plugins."""
        self._load()
        return sorted({*self._classes, *self._plugins})

    def classes(self) -> list[T]:
        """All classes, in the order of their names; a plugin that cannot be loaded is left out."""
        classes = []
        for name in self.names():
            with suppress(WsedError):
                classes.append(self[name])
        return classes

    def find(self, path: str) -> T:
        """The class of a registered name, or of the import path of a registered class. The path is not imported.

        Raises:
            WsedError: the name is unknown, or no registered class has the path.
        """
        if "." not in path:
            return self[path]
        module, _, name = path.rpartition(".")
        classes = self.classes()  # imports the plugins
        public = getattr(sys.modules.get(module), name, None)  # a public path, such as `wsed.Composed`
        for cls in classes:
            if cls is public:
                return cls
        raise WsedError(f"{self.kind} {path!r} is not registered with wsed")

    def __contains__(self, name: object) -> bool:
        self._load()
        return name in self._classes or name in self._plugins

    def __getitem__(self, name: str) -> T:
        """The class of a name; a `WsedError` with similar names if there is none."""
        self._load()
        if name not in self:
            raise WsedError(f"unknown {self.kind} {name!r}{near(name, self.names())}; known: {', '.join(self.names())}")
        if name not in self._classes:  # a plugin is imported at its first use: a broken one harms nothing else
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
    """The registry of a kind of component.

    >>> registry("encoder")["crnn"].__name__
    'CRNN'

    Raises:
        WsedError: there is no such kind.
    """
    if kind not in HOMES:
        raise WsedError(f"unknown kind {kind!r}{near(kind, HOMES)}; known: {', '.join(HOMES)}")
    module, name = HOMES[kind]
    value = vars(importlib.import_module(module))[name]
    assert isinstance(value, Registry), f"{module}.{name}"
    return value


def components(kind: str) -> list[str]:
    """The registered names of a kind of component, such as `loss` or `encoder`.

    >>> "crnn" in components("encoder")
    True

    Raises:
        WsedError: there is no such kind.
    """
    return registry(kind).names()
