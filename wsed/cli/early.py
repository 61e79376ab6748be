"""Finds mistakes in YAML files before torch is imported, which takes seconds: `check_settings` finds all others.

The settings of classes are read from the source of wsed and Lightning. What is not plain from there is passed over.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points

from wsed.cli.advice import OTHERS, unknown
from wsed.cli.moved import translated
from wsed.cli.signatures import Signatures
from wsed.errors import WsedError, near
from wsed.shipped import located
from wsed.text import read_yaml

SECTIONS = {"model": "SEDTask", "data": "SEDDataModule", "evaluation": "Evaluation", "trainer": "Trainer"}
WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false"}


def check_files(args: Sequence[str]) -> None:
    """Refuse a configuration with a section, setting or name that does not exist, or a number of another kind.

    Args:
        args: of a training verb; the files are those of `--config`.

    Raises:
        WsedError: a file is missing or no YAML, or names what does not exist, with near names.
    """
    files = [arg.partition("=")[2] or after for arg, after in zip(args, [*args[1:], ""], strict=True) if _is(arg)]
    known = Signatures.read()
    for file in files:
        read = read_yaml(located(file), "--config")
        config = translated(read)[0] if isinstance(read, dict) else {}
        try:
            for key, value in config.items():
                if key not in SECTIONS and key not in OTHERS:
                    raise WsedError(unknown("", key, [*SECTIONS, *OTHERS]))
                if key in SECTIONS and isinstance(value, dict):
                    _Check(known, whole=len(files) == 1).arguments(value, SECTIONS[key], key)
        except WsedError as error:
            raise WsedError(f"{', '.join(files)}: {error}") from None


def _is(arg: str) -> bool:
    return arg == "--config" or arg.startswith("--config=")


@cache
def plugins(kind: str) -> set[str]:
    """The names that other packages register.

    >>> plugins("loss")
    set()
    """
    return {plugin.name for plugin in entry_points(group=f"wsed.{kind}")}


class _Check:
    """Checks one file.

    Args:
        known: the classes.
        whole: whether no other file is merged with it; else another may name the class of a component.
    """

    def __init__(self, known: Signatures, *, whole: bool) -> None:
        self.known, self.whole = known, whole

    def arguments(self, value: Mapping[str, object], cls: str, path: str) -> None:
        """Check the settings of a class."""
        settings = self.known.arguments(cls)
        if settings is None:
            return
        for key, item in value.items():
            if key not in settings:
                raise WsedError(unknown(path, str(key), list(settings)))
            self.value(item, settings[key], f"{path}.{key}")

    def value(self, value: object, annotation: str, path: str) -> None:
        """Check a value by the text of its annotation."""
        inner = re.fullmatch(r"(?:Sequence|list|tuple)\[(.*)\](?: \| None)?", annotation)
        entries = re.fullmatch(r"(?:Mapping|dict)\[str, (.*)\](?: \| None)?", annotation)
        if inner or entries:
            pairs = list(enumerate(value)) if inner and isinstance(value, list) else []
            pairs = list(value.items()) if entries and isinstance(value, dict) else pairs
            for key, item in pairs:
                self.value(item, (inner or entries)[1], path if inner else f"{path}.{key}")  # type: ignore[index]
            return
        words = set(re.findall(r"\w+", annotation))
        kinds = [kind for base, kind in self.known.bases.items() if words & {base, f"{base}Factory"}]
        if kinds and isinstance(value, str | dict):
            self.component(value, kinds[0], path)
        elif words <= {*WORDS, "None"} and value is not None:
            self.number(value, annotation, path)
        elif (
            len(others := words & set(self.known.classes)) == 1
            and isinstance(value, dict)
            and "class_path" not in value
        ):
            self.arguments(value, others.pop(), path)

    def component(self, value: str | dict[str, object], kind: str, path: str) -> None:
        """Check a name, or a class with its arguments."""
        name = value.get("class_path") if isinstance(value, dict) else value
        names = self.known.names[kind]
        arguments: object = {}
        if isinstance(value, dict):
            arguments = value.get("init_args", {}) if "class_path" in value else value
            if name is None:
                default = self.known.defaults.get(kind)
                name = default if self.whole and default and "init_args" not in value else None
        if not isinstance(name, str) or not re.fullmatch(r"\w+", name):
            return
        others = plugins(kind)
        if name in names:
            if isinstance(arguments, dict):
                self.arguments(arguments, names[name], path)
        elif name not in others and name not in names.values() and name != "null":
            known = sorted({*names, *others})
            raise WsedError(f"{path}: unknown {kind} {name!r}{near(name, known)}; known: {', '.join(known)}")

    @staticmethod
    def number(value: object, annotation: str, path: str) -> None:
        """Check a value that is a number or a truth value."""
        kinds = [kind for kind in annotation.split(" | ") if kind in WORDS]
        fits = {"bool": bool, "int": int, "float": int | float}
        if isinstance(value, bool):
            right = "bool" in kinds
        else:
            right = any(isinstance(value, fits[kind]) for kind in kinds if kind != "bool")
        if not right and isinstance(value, str | int | float | list):
            words = " or ".join([*(WORDS[kind] for kind in kinds), *(["null"] if "None" in annotation else [])])
            raise WsedError(f"{path} is {value!r}, expected {words}")
