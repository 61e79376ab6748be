"""Lazy imports: the names of a package are imported at first use; type checkers and editors see them all the same.

The `__init__.py` of a package lists its names once, as imports that only type checkers run:

    if TYPE_CHECKING:
        from wsed.losses.mil import MIL
    else:
        __getattr__, __dir__ = lazy(__name__, "loss")

The arguments after the package, such as `loss`, are kinds of components. Their registered classes are exported too, so
a new component needs no line in `__init__.py`. Other modules of the package are imported when they are named:
`wsed.testing.check_loss` needs no import but that of `wsed`.
"""

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


def lazy(package: str, *kinds: str) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The functions `__getattr__` and `__dir__` for a package.

    Args:
        package: the `__name__` of the package.
        kinds: kinds of components, such as `loss`, whose classes the package exports in addition.
    """

    def get(name: str) -> object:
        module = sys.modules[package]
        place = exports_of(package).get(name)
        if place is not None:
            value = import_module(place) if place == f"{package}.{name}" else vars(import_module(place))[name]
        else:
            value = _registered(name, kinds) if name[0].isupper() else _submodule(f"{package}.{name}")
            if value is None:
                raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(module, name, value)  # so that Python does not call `__getattr__` again
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *exports_of(package)})

    return get, names


@cache
def exports_of(package: str) -> dict[str, str]:
    """The module of each name that a package lists under `if TYPE_CHECKING`.

    >>> exports_of("wsed.losses")["MIL"]
    'wsed.losses.mil'
    """
    import ast
    from pathlib import Path

    file = sys.modules[package].__file__
    assert file is not None
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    places: dict[str, str] = {}
    for node in (node for block in blocks for node in block.body):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                is_module = node.module == package  # `from wsed import losses`
                places[alias.name] = f"{package}.{alias.name}" if is_module else node.module
    return places


def _submodule(name: str) -> ModuleType | None:
    """The module of this name, such as `wsed.testing`; None if there is none."""
    is_public = not name.rpartition(".")[2].startswith("_")
    return import_module(name) if is_public and find_spec(name) is not None else None


def _registered(name: str, kinds: tuple[str, ...]) -> type | None:
    from wsed.registry import registry

    classes: list[type] = [cls for kind in kinds for cls in registry(kind).classes()]
    return next((cls for cls in classes if cls.__name__ == name and cls.__module__.startswith("wsed.")), None)
