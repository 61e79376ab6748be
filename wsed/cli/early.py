"""Finds many mistakes in YAML files before torch is imported, which takes seconds; others are found later.

The settings of classes are read from the source of wsed, torch and Lightning. What is not plain there is passed over.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from wsed.cli import source
from wsed.cli.advice import (
    ACCELERATORS,
    EXAMPLES,
    OTHERS,
    SECTIONS,
    STRATEGIES,
    check_beside,
    check_named,
    check_section,
    check_word,
    holds,
    last,
    not_imported,
    unknown,
)
from wsed.cli.annotations import Annotation
from wsed.cli.check_line import check_line
from wsed.cli.check_settings import check_other, check_value, is_given, require
from wsed.cli.check_torch import HOMES, check_torch
from wsed.cli.configs import Config, asks_for_help, merge, split_files
from wsed.cli.flags import underscores
from wsed.cli.moved import translated
from wsed.cli.signatures import Signatures
from wsed.cli.trusted import DOTTED, check_untrusted
from wsed.cli.types import is_kind
from wsed.errors import WsedError, check_option, near, with_article
from wsed.text import read_yaml

METRICS = ("evaluation.metrics", "evaluation.rank_by")
"""Settings that name metrics."""

LIGHTNING = {"trainer.callbacks": "lightning.pytorch.callbacks", "trainer.logger": "lightning.pytorch.loggers"}
"""Settings that take classes of Lightning, and the module of the classes."""


def check_files(args: Sequence[str]) -> None:
    """Refuse unknown and missing settings, unknown names, values of a wrong type, missing files, and empty batches.

    Args:
        args: the arguments of a training verb. The files of `--config` are merged and checked, but not the settings
            that other arguments replace. For other arguments, only their names and missing checkpoints are checked.

    Raises:
        WsedError: a file is missing, is not YAML, or has such a mistake; with similar names.
    """
    files, rest = split_files(args)
    if asks_for_help(rest):
        return
    known, config = Signatures.read(), Config()
    for file in files:
        read = read_yaml(file, "--config")
        if read is not None and not isinstance(read, dict):
            raise WsedError(holds(file, read))
        if read is not None:
            try:
                new = translated(read)[0]
            except WsedError as error:
                raise WsedError(f"{file}: {error}") from None
            config = merge(config, known.renamed(new))[0]
    check_line(rest, config, known)
    check = _Check(known, _flags(rest), whole=len(files) == 1, closed=_is_closed(config, rest))
    try:
        check.sections(config)
        if files:
            require(config, check.flags)
    except WsedError as error:
        raise WsedError(f"{', '.join(files)}: {error}") from None
    finally:
        source.statements.cache_clear()  # a training needs the memory


def _flags(args: Sequence[str]) -> set[str]:
    """The settings that the command line replaces, such as `data.corpus.root`."""
    names = [arg.partition("=")[0].lstrip("-").rstrip("+") for arg in (*args, *underscores(args))]
    return {name.replace(".init_args", "") for name in names}


def _is_closed(config: Config, args: Sequence[str]) -> bool:
    """Whether only wsed, torch and Lightning are named: other modules may define classes with any name."""
    try:
        check_untrusted([config, *(arg.partition("=")[2] or arg for arg in args)])
    except WsedError:
        return False
    return True


def plugins(kind: str) -> set[str]:
    """The names that other packages register.

    >>> plugins("loss")
    set()
    """
    return {entry.name for entry in _entry_points().select(group=f"wsed.{kind}")}


_entry_points = cache(entry_points)
"""Those of all packages, read once."""


class _Check:
    """Checks a configuration.

    Args:
        known: the classes.
        flags: settings whose values are replaced.
        whole: whether there is a single file; only then is a component without a class taken for the default one.
        closed: whether only wsed, torch and Lightning are named in it.
    """

    def __init__(self, known: Signatures, flags: Collection[str], *, whole: bool, closed: bool) -> None:
        self.known, self.flags, self.whole, self.closed = known, flags, whole, closed

    def sections(self, config: Config) -> None:
        """Check all settings."""
        for key, value in config.items():
            if key not in SECTIONS and key not in OTHERS:
                raise WsedError(unknown("", str(key), [*SECTIONS, *OTHERS]))
            if key in OTHERS:
                check_other(value, key, self.flags)
            elif key not in self.flags:
                check_section(value, key)
            if key in SECTIONS and isinstance(value, dict):
                self.arguments(value, SECTIONS[key], key)
        data = config.get("data")
        if isinstance(data, dict):
            self.folder(data.get("corpus"), "data.corpus")
            if data.get("episodes") is None:
                self.batch(data.get("batch"))
                self.sources(data.get("batch"), data.get("corpus"))

    def arguments(self, value: Mapping[str, object], cls: str, path: str) -> None:
        """Check the settings of a class."""
        settings = self.known.arguments(cls)
        if settings is None:
            return
        for key, item in value.items():
            if key not in settings:
                raise WsedError(unknown(path, str(key), list(settings)))
            self.value(item, settings[key], f"{path}.{key}")
        needed = (
            self.known.needed(cls) if self.whole and path not in SECTIONS and not is_given(self.flags, path) else []
        )
        for key in needed:
            if key not in value:
                raise WsedError(f"{path}.{key} is missing; write {key}: ... among the settings of {path}")

    def value(self, value: object, annotation: Annotation, path: str) -> None:
        """Check a value by its annotation."""
        if value is None or path in self.flags:
            return
        if path in METRICS:
            self.metrics(value, path)
        if path == "trainer.strategy" and isinstance(value, str):
            check_word(path, value, STRATEGIES)
        elif path == "trainer.accelerator" and isinstance(value, str) and self.closed and not self.extended():
            check_word(path, value, ACCELERATORS)
        elif path in HOMES:
            check_torch(value, path, importing=False)
        elif path in LIGHTNING:
            for item in value if isinstance(value, list) else [value]:
                self.lightning(item, path)
        elif (plain := annotation.plain()) is not None:
            check_value(value, plain, path, self.flags)
        else:
            self.form(value, annotation, path)
            for member in annotation.members():
                self.member(value, member, path)

    def form(self, value: object, annotation: Annotation, path: str) -> None:
        """Refuse a value whose form no member of a union takes, such as a text for a list."""
        taken: list[type] = []
        words: list[str] = []
        for member in annotation.members():
            found = self.forms(member)
            if found is None:
                return
            taken += found[1]
            words.append(found[0])
        if not isinstance(value, tuple(taken)) and not (isinstance(value, str) and "." in value):
            example = f"; write {last(path)}: [{value}]" if list in taken and isinstance(value, str) else ""
            raise WsedError(f"{path} is {value!r}, expected {' or '.join(words)}{example}")

    def forms(self, member: Annotation) -> tuple[str, list[type]] | None:
        """In words what a member of a union takes, and its types; None if that is not plain."""
        words = member.words()
        if str(member) == "None":
            return "null", []
        if member.plain() in (int, float):
            return "a number", [int, float]
        if member.items() is not None:
            return "a list", [list]
        if member.values() is not None:
            return "a mapping", [dict]
        if kinds := [kind for base, kind in self.known.bases.items() if words & {base, f"{base}Factory"}]:
            return with_article(kinds[0]), [str, dict]
        if str(member) in self.known.classes:
            settings = self.known.arguments(str(member))
            return f"settings ({', '.join(settings)})" if settings else f"a {member}", [dict]
        return None

    def member(self, value: object, annotation: Annotation, path: str) -> None:
        """Check a value by a member of a union, if the value has its form."""
        items, values, words = annotation.items(), annotation.values(), annotation.words()
        if items is not None:
            for item in value if isinstance(value, list) else []:
                self.value(item, items, path)
        elif values is not None:
            for key, item in value.items() if isinstance(value, dict) else []:
                self.value(item, values, f"{path}.{key}")
        elif kinds := [kind for base, kind in self.known.bases.items() if words & {base, f"{base}Factory"}]:
            if isinstance(value, str | dict):
                self.component(value, kinds[0], path)
        elif (
            len(others := words & set(self.known.classes)) == 1
            and isinstance(value, dict)
            and "class_path" not in value
        ):
            self.arguments(value, others.pop(), path)

    def component(self, value: str | dict[str, object], kind: str, path: str) -> None:
        """Check a name, or a class with its arguments."""
        name = value.get("class_path") if isinstance(value, dict) else value
        arguments: object = {}
        if isinstance(value, dict):
            arguments = value.get("init_args", {}) if "class_path" in value else value
            if name is None:
                default = self.known.defaults.get(kind)
                name = default if self.whole and default and "init_args" not in value else None
        if not isinstance(name, str):
            return
        if name.endswith((".yaml", ".yml")):
            raise WsedError(
                f"{path} names the file {name}; pass it by --config, with settings from the top level (model: ...)"
            )
        cls = self.class_of(name, kind, path)
        if cls is not None and isinstance(value, dict) and self.whole:
            check_beside(value, path)
        if cls is not None and isinstance(arguments, dict):
            self.arguments(arguments, cls, path)

    def class_of(self, name: str, kind: str, path: str) -> str | None:
        """The key of a class of wsed; None for other classes, of which only the name is checked."""
        names, others = self.known.names[kind], plugins(kind)
        known, (home, _, last) = sorted({*names, *others}), name.rpartition(".")
        if DOTTED.fullmatch(name) and not source.is_found(name):
            why = not_imported(home, f"No module named {name.partition('.')[0]!r}")
            raise WsedError(f"{path}: {why}; known by name: {', '.join(known)}")
        if DOTTED.fullmatch(name) and source.lacks(home, last):
            why = f"{home} has no {last}{near(last, source.classes_in(home))}"
            raise WsedError(f"{path}: {why}; known by name: {', '.join(known)}")
        cls = self.known.class_of(kind, name)
        if re.fullmatch(r"\w+", name) and cls is None and name not in (*others, "null") and not self.extended():
            raise WsedError(f"{path}: unknown {kind} {name!r}{near(name, known)}; known: {', '.join(known)}")
        if f"{home}.".startswith("wsed.") and last[:1].isupper() and last not in self.known.classes:
            similar = near(last, [of.rpartition(".")[2] for of in names.values()])
            raise WsedError(f"{path}: {home} has no {last}{similar}; known by name: {', '.join(known)}")
        return cls

    def metrics(self, value: object, path: str) -> None:
        """Check the names of metrics; what follows the name, as in `event_f1:onset_collar=1`, is passed over."""
        for item in value if isinstance(value, list) and self.closed and not self.extended() else ():
            if isinstance(item, str):
                check_option(path, "metric", re.split("[:/]", item)[0], sorted(self.known.names["metric"]))

    def folder(self, corpus: object, path: str) -> None:
        """Refuse a corpus of wsed whose folder does not exist, also within another corpus."""
        cls, arguments = self.corpus(corpus)
        if cls is None or path in self.flags:
            return
        root, is_read = arguments.get("root"), not {"lists", "audio"} <= arguments.keys()
        named = isinstance(root, str) and is_read and f"{path}.root" not in self.flags
        if named and not is_kind(Path(str(root)), Path.is_dir):
            raise WsedError(f"{path}.root: no such folder, or it cannot be read: {root}")
        self.folder(arguments.get("corpus"), f"{path}.corpus")
        several = arguments.get("corpora")
        for name, inner in several.items() if isinstance(several, dict) else ():
            self.folder(inner, f"{path}.corpora.{name}")

    def corpus(self, value: object) -> tuple[str | None, dict[str, object]]:
        """The key of a corpus of wsed, and its arguments; None and no arguments for any other value."""
        name = value.get("class_path") if isinstance(value, dict) else None
        cls = self.known.class_of("corpus", name) if isinstance(name, str) else None
        arguments = value.get("init_args") if cls is not None and isinstance(value, dict) else None
        return cls, arguments if isinstance(arguments, dict) else {}

    def lightning(self, value: object, path: str) -> None:
        """Check a class of Lightning: its name and those of its arguments."""
        if not is_given(self.flags, path):
            check_named(value, path)
        name = value.get("class_path") if isinstance(value, dict) else value
        if not isinstance(name, str):
            return
        module, (home, _, last) = LIGHTNING[path], name.rpartition(".")
        if home in ("", module) and source.lacks(module, last) and (home == module or self.misspelt(last, module)):
            similar = near(last, source.exported(module))
            raise WsedError(f"{path}: there is no class {name!r}{similar}; write its name or import path")
        arguments = value.get("init_args") if isinstance(value, dict) else None
        settings = source.settings_in(module, last) if home in ("", module) else None
        for key in arguments if isinstance(arguments, dict) else ():
            if settings is not None and key not in settings:
                raise WsedError(unknown(path, str(key), settings))

    def extended(self) -> bool:
        """Whether other packages add components: they may also add classes and accelerators to Lightning."""
        return any(map(plugins, self.known.names))

    def misspelt(self, name: str, module: str) -> bool:
        """Whether a name without a module must be misspelt: it is close to a class, and nothing else can define it."""
        similar = get_close_matches(name, source.exported(module), cutoff=0.85)
        return bool(similar) and self.closed and name not in self.known.classes and not self.extended()

    def sources(self, batch: object, corpus: object) -> None:
        """Refuse sources that a corpus does not have, where its module lists all in `TRAIN` (DESED, AudioSet)."""
        cls, arguments = self.corpus(corpus)
        if not isinstance(batch, dict) or cls is None or is_given(self.flags, "data.batch", "data.corpus"):
            return
        tables, own = source.literal(self.known.modules[cls], "TRAIN"), arguments.get("train") or {}
        if not isinstance(tables, dict) or not isinstance(own, dict):
            return
        known = [*tables, *own]
        for name, count in batch.items():
            if count is not None and name not in known:
                raise WsedError(
                    f"data.batch: unknown source {name!r}{near(str(name), known)}; known: {', '.join(known)}"
                )

    def batch(self, value: object) -> None:
        """Refuse a batch without clips."""
        given = is_given(self.flags, "data.batch", "data.episodes")
        if isinstance(value, dict) and value and not given and all(type(n) is int and n <= 0 for n in value.values()):
            raise WsedError(f"data.batch has no clips: {value}; write {EXAMPLES['data.batch']}")
