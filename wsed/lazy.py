"""Names of a package that are imported when they are first used, and that type checkers and editors see.

The `__init__.py` of a package states its names once, as imports that only type checkers run:

    if TYPE_CHECKING:
        from wsed.losses.mil import MIL
    else:
        __getattr__, __dir__ = lazy(__name__, "loss")

Registered classes of its kinds are there too, so that a new one needs no line of its own.
"""

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module


def lazy(package: str, *kinds: str) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package.

    Args:
        package: its `__name__`.
        kinds: of components that it exports by class name, beside the names that it states.
    """

    def get(name: str) -> object:
        module = sys.modules[package]
        place = stated(package).get(name)
        if place is not None:
            value = import_module(place) if place == f"{package}.{name}" else vars(import_module(place))[name]
        else:
            value = _registered(name, kinds) if name[0].isupper() else None  # else it may be a module, as `steps`
            if value is None:
                raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(module, name, value)  # found without us the next time
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *stated(package)})

    return get, names


@cache
def stated(package: str) -> dict[str, str]:
    """The module of each name that a package imports for type checkers.

    >>> stated("wsed.losses")["MIL"]
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
                whole = node.module == package  # `from wsed import losses`: a package of its own
                places[alias.name] = f"{package}.{alias.name}" if whole else node.module
    return places


def _registered(name: str, kinds: tuple[str, ...]) -> type | None:
    from wsed.registry import registry

    classes: list[type] = [cls for kind in kinds for cls in registry(kind).classes()]
    return next((cls for cls in classes if cls.__name__ == name and cls.__module__.startswith("wsed.")), None)
