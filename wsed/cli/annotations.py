"""Annotations of arguments that were read from source text."""

import ast
import operator
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Optional, Union

from wsed.cli.source import definition

PLAIN = {
    "int": int, "float": float, "bool": bool, "str": str, "Path": Path,
    "list": list, "tuple": tuple, "Sequence": Sequence, "dict": dict, "Mapping": Mapping,
    "Literal": Literal, "Optional": Optional, "Union": Union,
}  # fmt: skip
"""The types by which values are checked without importing the module of the annotation."""


class Annotation(NamedTuple):
    """An annotation.

    Attributes:
        node: what is written.
        module: the module that it is written in, whose names it uses.

    >>> mode = Annotation.read("Pooling | None", "wsed.models.heads.embedding")
    >>> mode.words(), [str(member) for member in mode.members()]
    ({'Pooling'}, ['Pooling', 'None'])
    """

    node: ast.expr
    module: str

    @classmethod
    def read(cls, text: str, module: str) -> "Annotation":
        """An annotation from its text."""
        return cls(ast.parse(text, mode="eval").body, module)

    @classmethod
    def of(cls, node: ast.expr | None, module: str) -> "Annotation":
        """An annotation as it stands in a file, in quotes or not; without one, any object is allowed."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return cls.read(node.value, module)
        return cls(ast.Name("object") if node is None else node, module)

    def __str__(self) -> str:
        return ast.unparse(self.node)

    def words(self) -> set[str]:
        """The names in it."""
        return {node.id for node in ast.walk(self.node) if isinstance(node, ast.Name)}

    def members(self) -> Iterator["Annotation"]:
        """The members of a union; any other annotation is its only member."""
        match self.node:
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                parts = [left, right]
            case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=elements)):
                parts = elements
            case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
                parts = [inner]
            case _:
                yield self
                return
        for part in parts:
            yield from Annotation(part, self.module).members()

    def items(self) -> "Annotation | None":
        """The annotation of the items of a list; None if it is no list."""
        match self.node:
            case ast.Subscript(value=ast.Name(id="Sequence" | "list"), slice=item):
                return Annotation(item, self.module)
            case ast.Subscript(value=ast.Name(id="tuple"), slice=ast.Tuple(elts=[item, ast.Constant(value=end)])):
                return Annotation(item, self.module) if end is ... else None
        return None

    def values(self) -> "Annotation | None":
        """The annotation of the values of a mapping; None if it is no mapping."""
        match self.node:
            case ast.Subscript(value=ast.Name(id="Mapping" | "dict"), slice=ast.Tuple(elts=[_, value])):
                return Annotation(value, self.module)
        return None

    def plain(self) -> object:
        """The type that it means, if numbers, texts, literals, lists and mappings make it up; else None.

        >>> Annotation.read("Reduction", "wsed.losses.triplet").plain()
        typing.Literal['mean', 'sum', 'mean_active']
        >>> Annotation.read("Sequence[Loss]", "wsed.losses.triplet").plain() is None
        True
        """
        try:
            return _plain(self.node, self.module)
        except (LookupError, TypeError):
            return None


def _plain(node: ast.expr, module: str) -> object:
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Name(id=name) if name in PLAIN:
            return PLAIN[name]
        case ast.Name(id=name):
            found = definition(module, name)
            if found is None or isinstance(found[1], ast.ClassDef) or found[1].value is None:
                raise LookupError(name)
            return _plain(found[1].value, found[0])
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return operator.or_(_plain(left, module), _plain(right, module))
        case ast.Subscript(value=ast.Name(id=name), slice=inner) if name in PLAIN:
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            read = [_constant(part) if name == "Literal" else _part(part, module) for part in parts]
            return operator.getitem(PLAIN[name], read[0] if len(read) == 1 else tuple(read))  # type: ignore[call-overload]
    raise LookupError(ast.unparse(node))


def _part(node: ast.expr, module: str) -> object:
    return ... if isinstance(node, ast.Constant) and node.value is ... else _plain(node, module)


def _constant(node: ast.expr) -> object:
    if isinstance(node, ast.Constant):
        return node.value
    raise LookupError(ast.unparse(node))
