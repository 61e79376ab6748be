"""What a module defines, read from the text of its file: the module is not imported, and nor is its package.

A thing is "plain" if the text alone shows it, without running the module.
"""

import ast
import sys
from collections.abc import Sequence
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

Definition: TypeAlias = ast.ClassDef | ast.Assign | ast.AnnAssign


def is_found(module: str) -> bool:
    """Whether the first part of a module's name is installed, or lies in the working folder.

    >>> is_found("json.decoder"), is_found("jsom.decoder")
    (True, False)
    """
    top = module.partition(".")[0]
    try:
        return (
            top in sys.modules or find_spec(top) is not None or PathFinder.find_spec(top, [str(Path.cwd())]) is not None
        )
    except (ImportError, ValueError, AttributeError):
        return True  # only importing it can tell


@cache
def file_of(module: str) -> Path | None:
    """The file of a package or of a module in one; None if it is not found, or if the module is in no package.

    >>> file_of("wsed.losses.mil").name, file_of("wsed.cli").name, file_of("wsed.gone")
    ('mil.py', '__init__.py', None)
    """
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return None
    for folder in (spec.submodule_search_locations if spec is not None else None) or ():
        place = Path(folder, *rest)
        for path in (place / "__init__.py", place.parent / f"{place.name}.py"):
            if path.is_file():
                return path
    return None


@cache
def statements(module: str) -> Sequence[ast.stmt]:
    """The statements of a module; none if its file is not found or cannot be read."""
    path = file_of(module)
    try:
        return [] if path is None else ast.parse(path.read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError):
        return []


def exported(module: str) -> list[str]:
    """The names in `__all__` of a module; none if it is not a plain list.

    >>> "EarlyStopping" in exported("lightning.pytorch.callbacks")
    True
    """
    for node in statements(module):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            try:
                return list(ast.literal_eval(node.value))
            except ValueError:
                return []
    return []


DYNAMIC = {"*", "__getattr__", "globals", "vars", "setattr", "exec", "eval"}
"""Names in a module by which it may define others."""


def lacks(module: str, name: str) -> bool:
    """Whether the source of a module defines names, but not this one; False if it may define more when imported.

    >>> lacks("torch.optim", "Adm"), lacks("torch.optim", "Adam"), lacks("no_such_module", "Adam")
    (True, False, False)
    """
    nodes = [node for statement in statements(module) for node in ast.walk(statement)]
    defined = {one for node in nodes if isinstance(node, ast.stmt) for one in _names(node)}
    defined |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    return bool(defined) and name not in defined and not (defined | used) & DYNAMIC


def literal(module: str, name: str) -> object:
    """The value that a module gives a name, if it is written out; else None.

    >>> list(literal("wsed.data.corpus.desed", "TRAIN"))
    ['weak', 'strong', 'synthetic', 'unlabelled']
    """
    for node in statements(module):
        if isinstance(node, ast.Assign) and _names(node) == [name]:
            try:
                return ast.literal_eval(node.value)
            except ValueError:
                return None
    return None


def classes_in(module: str) -> list[str]:
    """The classes that a module defines.

    >>> "MIL" in classes_in("wsed.losses.mil")
    True
    """
    return [node.name for node in statements(module) if isinstance(node, ast.ClassDef)]


def definition(module: str, name: str) -> tuple[str, Definition] | None:
    """The class or assignment that a name of a module means, and its own module; None if it is not plain.

    >>> found = definition("torch.optim", "AdamW")
    >>> found[0], found[1].name
    ('torch.optim.adamw', 'AdamW')
    """
    for _ in range(8):  # imports are followed
        found = [node for node in statements(module) if name in _names(node)]
        if len(found) != 1:
            return None
        node = found[0]
        if isinstance(node, Definition):
            return module, node
        if not isinstance(node, ast.ImportFrom) or node.level or node.module is None:
            return None
        module, name = node.module, next(alias.name for alias in node.names if name in (alias.asname, alias.name))
    return None


def settings_in(module: str, name: str) -> list[str] | None:
    """The arguments of the constructor of a class; None if they are not plain.

    >>> settings_in("torch.optim", "SGD")[:2]
    ['params', 'lr']
    """
    found = definition(module, name)
    node = found[1] if found is not None else None
    if not isinstance(node, ast.ClassDef) or node.decorator_list or node.keywords:
        return None
    made = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name in ("__init__", "__new__")]
    if [part.name for part in made] != ["__init__"] or made[0].decorator_list or made[0].args.kwarg is not None:
        return None
    return [arg.arg for arg in (*made[0].args.posonlyargs, *made[0].args.args, *made[0].args.kwonlyargs)][1:]


def _names(node: ast.stmt) -> list[str]:
    """The names that a statement defines."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [ast.unparse(target) for target in node.targets]
    return [ast.unparse(node.target)] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []
