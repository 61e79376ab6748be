"""The settings of classes, read from source files without importing them."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from wsed.cli.annotations import Annotation
from wsed.cli.source import statements

HOME = Path(__file__).parents[1]
FOLDERS = ("losses", "models", "augment", "decoding", "data", "training", "metrics")
TRAINER = "lightning.pytorch.trainer.trainer"
WITHOUT_SETTINGS = ("ABC", "Protocol", "Generic", "object", "nn.Module")
"""Bases without settings."""


class Class(NamedTuple):
    """A class of the source.

    Attributes:
        bases: names of its bases.
        settings: annotations of its own constructor, by name; None: it has none.
        open: whether the constructor takes other settings too.
        is_data: whether it is a dataclass: then it takes the settings of bases that are dataclasses, too.
        needed: its own settings without a default.
    """

    bases: tuple[str, ...]
    settings: dict[str, Annotation] | None
    open: bool
    is_data: bool = False
    needed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Signatures:
    """The classes of wsed and their settings.

    Attributes:
        classes: by name, and by module and name; None for a name that several classes have.
        modules: the module of each class, by its name; of several classes of a name, the module of the last.
        names: the class of each registered name, by kind.
        bases: the kind of component whose base class has the name.
        leading: arguments that are no settings, by kind.
        defaults: the name that is meant where none is given, by kind.

    >>> known = Signatures.read()
    >>> known.names["loss"]["mil"], "channels" in known.arguments("CRNN"), known.bases["Encoder"]
    ('MIL', True, 'encoder')
    """

    classes: dict[str, Class | None] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    names: dict[str, dict[str, str]] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)
    leading: dict[str, int] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)

    @classmethod
    @cache
    def read(cls) -> "Signatures":
        """Read the source: a fraction of a second."""
        known, kinds, registered = cls(), dict[str, str](), list[tuple[str, str, str]]()
        files = [path for folder in FOLDERS for path in sorted((HOME / folder).rglob("*.py"))]
        for module in [*map(_module, files), TRAINER]:
            for node in statements(module):
                if isinstance(node, ast.AnnAssign | ast.Assign) and _calls(node.value, "Registry"):
                    kinds |= known._registry(node)
                if isinstance(node, ast.ClassDef):
                    known.modules[node.name] = module
                    made, full = _class(node, module), f"{module}.{node.name}"
                    known.classes.update({node.name: None if node.name in known.classes else made, full: made})
                    registered += [(variable, name, full) for variable, name in _registrations(node)]
        for variable, name, of in registered:
            if variable in kinds:
                short = of.rpartition(".")[2]
                known.names.setdefault(kinds[variable], {})[name] = of if known.classes[short] is None else short
        return known

    def class_of(self, kind: str, name: str) -> str | None:
        """The key of a class of wsed by its registered name, its own name, or an import path; None if it is not known.

        >>> Signatures.read().class_of("encoder", "crnn"), Signatures.read().class_of("encoder", "wsed.models.CRNN")
        ('CRNN', 'CRNN')
        """
        of = self.names[kind]
        if "." in name and not name.startswith("wsed."):
            return None
        return of.get(name) or {cls.rpartition(".")[2]: cls for cls in of.values()}.get(name.rpartition(".")[2])

    def renamed(self, config: Mapping[str, object]) -> dict[str, object]:
        """A configuration with one spelling for each class: two files may name it differently.

        >>> Signatures.read().renamed({"first": {"class_path": "mil"}, "second": {"class_path": "wsed.losses.MIL"}})
        {'first': {'class_path': 'MIL'}, 'second': {'class_path': 'MIL'}}
        """
        return {key: self._renamed(key, value) for key, value in config.items()}

    def _renamed(self, key: str, value: object) -> object:
        if isinstance(value, Mapping):
            return self.renamed(value)
        if isinstance(value, list):
            return [self._renamed("", item) for item in value]
        if key != "class_path" or not isinstance(value, str):
            return value
        found = {cls.rpartition(".")[2] for kind in self.names if (cls := self.class_of(kind, value)) is not None}
        return found.pop() if len(found) == 1 else value

    def arguments(self, name: str) -> dict[str, Annotation] | None:
        """The settings of a class with their annotations; None if they are not plain from its source."""
        found = self.classes.get(name)
        if found is None or (found.open and name != "SEDTask"):
            return None
        bases = [base for base in found.bases if base not in WITHOUT_SETTINGS]
        if found.settings is None:
            return {} if not bases else self.arguments(bases[0]) if len(bases) == 1 else None
        if found.is_data and any((of := self.classes.get(base)) is None or of.is_data for base in bases):
            return None
        kind = next((kind for kind, names in self.names.items() if name in names.values()), "")
        settings = list(found.settings.items())[self.leading.get(kind, 0) :]
        return {key: annotation for key, annotation in settings if key != "moved"}

    def needed(self, name: str) -> list[str]:
        """The settings of a class that must be given, as far as they are plain from its source.

        >>> Signatures.read().needed("DESED"), Signatures.read().needed("Weighted"), Signatures.read().needed("CRNN")
        (['root'], ['loss'], [])
        """
        settings, found = self.arguments(name), self.classes.get(name)
        if settings is None or found is None:
            return []
        if found.settings is None:
            bases = [base for base in found.bases if base not in WITHOUT_SETTINGS]
            return self.needed(bases[0]) if bases else []
        return [key for key in found.needed if key in settings]

    def _registry(self, node: ast.AnnAssign | ast.Assign) -> dict[str, str]:
        """Note a registry; returns the name of its variable, and the kind."""
        call, target = node.value, node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        assert isinstance(call, ast.Call)
        given = dict(zip(("kind", "package", "base", "n_leading", "default"), call.args, strict=False))
        given |= {keyword.arg or "": keyword.value for keyword in call.keywords}
        texts = {name: ast.unparse(value).strip("'\"") for name, value in given.items()}
        kind = texts["kind"]
        self.leading[kind] = int(texts.get("n_leading", "0"))
        self.bases[texts.get("base", "")] = kind
        if "default" in texts:
            self.defaults[kind] = texts["default"]
        return {ast.unparse(target): kind}


def _module(path: Path) -> str:
    parts = path.relative_to(HOME.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _calls(value: ast.expr | None, name: str) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func).partition("[")[0] == name


def _registrations(node: ast.ClassDef) -> list[tuple[str, str]]:
    """The registry and the name of each decorator that registers a class."""
    return [
        (ast.unparse(call.func.value), str(call.args[0].value))
        for call in node.decorator_list
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "register"
        and isinstance(call.args[0], ast.Constant)
    ]  # fmt: skip


def _class(node: ast.ClassDef, module: str) -> Class:
    bases = tuple(ast.unparse(base).partition("[")[0] for base in node.bases)
    made = next((part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"), None)
    if made is not None:
        arguments = [*made.args.posonlyargs, *made.args.args[1:], *made.args.kwonlyargs]
        settings = {arg.arg: Annotation.of(arg.annotation, module) for arg in arguments}
        positional = [*made.args.posonlyargs, *made.args.args]
        plain = positional[1 : len(positional) - len(made.args.defaults)]
        keywords = zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True)
        needed = [arg.arg for arg in (*plain, *(arg for arg, default in keywords if default is None))]
        return Class(bases, settings, made.args.kwarg is not None, needed=tuple(needed))
    if any(ast.unparse(part).startswith("dataclass") for part in node.decorator_list):
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)]
        settings = {ast.unparse(part.target): Annotation.of(part.annotation, module) for part in fields}
        needed = [ast.unparse(part.target) for part in fields if part.value is None]
        return Class(bases, settings, False, is_data=True, needed=tuple(needed))
    return Class(bases, None, False)
