"""Finds mistakes in the settings of a command line, such as `--trainer.epochs 3`, before they are parsed."""

from collections.abc import Iterator, Mapping, Sequence

from wsed.build import part_of
from wsed.cli.advice import OTHERS, unknown
from wsed.cli.check_settings import check_value, sections, settings_of
from wsed.cli.names import at, below, put, settings_at, state_of
from wsed.cli.setting_help import setting_help
from wsed.errors import WsedError
from wsed.literals import members
from wsed.text import yaml_or_text

SWITCHES = ("--overwrite",)
"""Flags without a value."""

OF_PARSER = ("help", "print_config", "config", "h", "c")
"""Flags of the parser."""

OF_CLASS = ("class_path", "init_args", "dict_kwargs")
"""Keys that name a class and hold its settings."""


def check_flags(args: Sequence[str], config: Mapping[str, object]) -> list[str]:
    """Refuse flags of settings that do not exist, and values of the wrong type.

    Args:
        args: the arguments after the verb, without `--config`, with underscores.
        config: the configuration that the flags change.

    Returns:
        the settings that the flags set, such as `data.corpus.root`.

    Raises:
        WsedError: with the flag, similar names, and what to write.
        SystemExit: after printing help that was asked for, such as `--model.network.help composed`.
    """
    names, state = [], state_of(config)
    for flag, value in pairs(args):
        keys = flag.removesuffix("+").split(".")
        if len(keys) > 1 and keys[-1] == "help":
            print(setting_help(".".join(keys[:-1]), value, config))
            raise SystemExit(0)
        if keys[0] in OF_PARSER:
            continue
        annotation = _annotation(flag, keys, state)
        names.append(".".join(key for key in keys if key != "init_args"))
        if annotation is not None and value is not None and not flag.endswith("+"):
            parsed = yaml_or_text(value)
            if not isinstance(parsed, dict) or "class_path" in parsed:  # else it is laid over the configuration
                check_value(parsed, annotation, names[-1])
            named = isinstance(parsed, str) and any(part_of(member) is not None for member in members(annotation))
            put(state, keys, {"class_path": parsed} if named else parsed)
    return names


def pairs(args: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Flags without hyphens, and their values."""
    waiting: str | None = None
    for arg in args:
        if arg.startswith("--") or arg in ("-h", "-c"):
            if waiting is not None:
                yield waiting, None
            flag, equals, value = arg.lstrip("-").partition("=")
            waiting = None if equals or arg in SWITCHES else flag
            if equals or arg in SWITCHES:
                yield flag, value if equals else None
        elif waiting is None:
            remedy = f"give a configuration by --config {arg}" if arg.endswith((".yaml", ".yml")) else "see --help"
            raise WsedError(f"unexpected {arg!r}: {remedy}")
        else:
            yield waiting, arg
            waiting = None
    if waiting is not None:
        yield waiting, None


def check_key(flag: str, path: str, key: str, known: Sequence[str]) -> None:
    """Refuse a part of a flag that is not among the settings there.

    Args:
        flag: the flag, without hyphens.
        path: the setting before the part, such as `data.corpus`.
        key: the part.
        known: names of the settings.

    Raises:
        WsedError: with the flag and similar names.

    >>> check_key("trainer.epochs", "trainer", "epochs", ["max_epochs"])
    Traceback (most recent call last):
    wsed.errors.WsedError: --trainer.epochs: trainer has no setting 'epochs' (did you mean trainer.max_epochs?); ...
    """
    if key not in known:
        raise WsedError(f"--{flag}: {unknown(path, key, known)}")


def _annotation(flag: str, keys: Sequence[str], config: Mapping[str, object]) -> object:
    """The annotation of a setting; None if only the parser knows it."""
    check_key(flag, "", keys[0], [*sections(), *OTHERS])
    annotation: object = sections().get(keys[0])
    before: object = config.get(keys[0])
    path = keys[0]
    for key in keys[1:]:
        if key in OF_CLASS:
            return None
        known = settings_of(annotation) if isinstance(annotation, type) and annotation in sections().values() else {}
        if known:
            check_key(flag, path, key, list(known))
        inner = below(annotation, key, before)
        if inner is None and (names := settings_at(annotation, before)):
            check_key(flag, path, key, names)
        if inner is None and not known:
            return None
        annotation, before, path = known.get(key, inner), at(before, key), f"{path}.{key}"
    return annotation
