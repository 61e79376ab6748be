"""Several `--config` as one configuration, merged by name before anything is parsed.

Mappings merge key by key. A component of another class replaces the earlier one and its `init_args`; a list replaces a
list. Null removes an entry of a mapping whose keys the user chooses (losses, sources, batch); elsewhere it is a value.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import yaml

from wsed.cli.advice import holds
from wsed.cli.check_flags import check_flags
from wsed.cli.check_settings import check_settings, require
from wsed.cli.flags import underscores
from wsed.cli.moved import translated
from wsed.cli.names import expand, resolve_arguments
from wsed.cli.ranks import is_first
from wsed.cli.trusted import check_untrusted, split_trusted
from wsed.errors import WsedError
from wsed.shipped import located
from wsed.text import read_yaml

Config: TypeAlias = dict[str, object]

ENTRIES = ("losses", "train", "batch")
"""Mappings whose keys the user chooses."""


def merge(first: Mapping[str, object], second: Mapping[str, object]) -> tuple[Config, list[str]]:
    """Merge the second configuration over the first; returns the result, and in words what was replaced or removed.

    >>> merge({"losses": {"a": {"weight": 1}, "b": {}}}, {"losses": {"a": {"weight": 2}, "b": None}})
    ({'losses': {'a': {'weight': 2}}}, ['removes losses.b'])
    >>> merge({"batch": {"strong": 32}}, {"batch": {"weak": None}})  # nothing to remove
    ({'batch': {'strong': 32}}, [])
    >>> merge({"head": {"class_path": "mlp", "init_args": {"hidden": 8}}}, {"head": {"class_path": "micro"}})
    ({'head': {'class_path': 'micro'}}, ['replaces head mlp by micro'])
    """
    changes: list[str] = []
    return _merge(dict(first), dict(second), (), changes), changes


def _merge(first: Config, second: Config, path: tuple[str, ...], changes: list[str]) -> Config:
    result = dict(first)
    for key, new in second.items():
        old, here = first.get(key), (*path, key)
        if isinstance(old, dict) and isinstance(new, dict):
            if _class(new) in (None, _class(old)):
                result[key] = _merge(old, new, here, changes)
                continue
            changes.append(f"replaces {_dotted(here)} {_class(old) or 'as it was'} by {_class(new)}")
        elif new is None and path and path[-1] in ENTRIES:
            if key in first:
                changes.append(f"removes {_dotted(here)}")
                del result[key]
            continue
        elif isinstance(old, list) and old != new:
            changes.append(f"replaces the list {_dotted(here)}")
        elif isinstance(old, dict) and new is None:
            changes.append(f"sets {_dotted(here)} to null")
        result[key] = new
    return result


def _class(value: Config) -> str | None:
    path = value.get("class_path")
    return path if isinstance(path, str) else None


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(part for part in path if part != "init_args")


@contextmanager
def prepared(args: Sequence[str]) -> Iterator[list[str]]:
    """The arguments of a training verb for its parser: names resolved, and all `--config` merged into one file.

    The file comes before the settings of the command line, which override it. Its name is that of the run (`run_name`).

    Raises:
        WsedError: a file is missing, or is not a mapping in YAML.
    """
    args, trusted = split_trusted(args)
    files, rest = split_files(args)
    for file in files if not trusted else ():
        check_untrusted(read_yaml(file, "--config"))
    config, same = _merged(files)
    hyphens: set[str] = set()
    _collect(config, hyphens)
    verb, rest = rest[:1], underscores(rest[1:], hyphens)
    _check(files, config, rest, "".join(verb))
    rest = [*verb, *resolve_arguments(rest, config)]
    with TemporaryDirectory() as folder:
        if not same or not all(map(_is_ascii, files)):  # the parser would read other letters by the locale
            path = Path(folder) / f"{run_name(files)}.yaml"
            path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
            files = [str(path)]
        yield [*rest[:1], *(f"--config={file}" for file in files), *rest[1:]]


def _check(files: Sequence[str], config: Config, flags: Sequence[str], verb: str) -> None:
    """Refuse mistakes with clearer messages than those of the parser."""
    where = f"{', '.join(files)}: " if files else ""
    named = check_flags(flags, config)
    if asks_for_help(flags):
        return
    if not files and not any(name.startswith("model.") for name in named):
        raise WsedError(_without_settings(verb))
    try:
        check_settings(config, named)
        require(config, named)
    except WsedError as error:
        raise WsedError(f"{where}{error}") from None


def _without_settings(verb: str) -> str:
    """The message about a verb to which neither a configuration nor a setting of a network is given."""
    if verb == "fit":
        return "wsed fit needs settings: add --config FILE.yaml, such as experiments/quickstart.yaml"
    run = "runs/exp/seed_0/config.yaml"
    return (
        f"wsed {verb} needs the settings of a training: add --config with that of its run, such as {run}, and "
        "--ckpt_path best, last or a file"
    )


def asks_for_help(flags: Sequence[str]) -> bool:
    """Whether the arguments ask for help or for the configuration, and train nothing.

    >>> asks_for_help(["--model.network.help", "composed"]), asks_for_help(["--overwrite"])
    (True, False)
    """
    return any(
        flag.startswith(("--help", "--print_config", "-h")) or flag.partition("=")[0].endswith(".help")
        for flag in flags
    )


def _is_ascii(file: str) -> bool:
    return Path(file).read_bytes().isascii()


def run_name(files: Sequence[str | Path]) -> str:
    """The name of a run with these configurations: the first name that does not begin with `base`.

    >>> run_name(["exp/base.yaml", "exp/rows/mil.yaml", "exp/soundscapes.yaml"])
    'mil'
    """
    names = [Path(file).stem for file in files]
    return next((name for name in names if not name.startswith("base")), names[0])


def merged(files: Sequence[str | Path]) -> Config:
    """Merge the files into one configuration; settings that a file replaces or removes are printed to stderr.

    Raises:
        WsedError: a file is missing, or is not a mapping in YAML.
    """
    return _merged(files)[0]


def _merged(files: Sequence[str | Path]) -> tuple[Config, bool]:
    """The merged files, and whether they are a single unchanged file."""
    result, same = Config(), len(files) < 2
    for count, file in enumerate(files):
        config, moved = _read(file)
        result, changes = merge(result, config) if count else (config, [])
        if moved:
            changes.append(f"settings of wsed 0.1 have moved: {', '.join(moved)}; change the file")
            same = False
        if changes and is_first():
            print(f"{file}: {'; '.join(changes)}", file=sys.stderr)
    return result, same


def _collect(value: object, names: set[str]) -> None:
    """Collect the keys with hyphens, which flags must keep."""
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _collect(item, names)
    if isinstance(value, dict):
        names |= {key for key in value if isinstance(key, str) and "-" in key}


def split_files(args: Sequence[str]) -> tuple[list[str], list[str]]:
    """Files of `--config` (and `-c`), those of `experiments/` also from the library, and the other arguments.

    >>> split_files(["--config", "exp.yaml", "--overwrite"])
    (['exp.yaml'], ['--overwrite'])
    """
    files, rest, waiting = list[str](), list[str](), iter(args)
    for arg in waiting:
        flag, equals, value = arg.partition("=")
        if flag not in ("--config", "-c"):
            rest.append(arg)
        elif equals:
            files.append(located(value))
        elif (following := next(waiting, None)) is not None:
            files.append(located(following))
        else:
            rest.append(arg)
    return files, rest


def _read(file: str | Path) -> tuple[Config, list[str]]:
    """A configuration with names resolved, and which settings of wsed 0.1 were moved in it."""
    value = read_yaml(file, "--config")
    if value is None:
        return {}, []
    if not isinstance(value, dict):
        raise WsedError(holds(file, value))
    try:
        config, moved = translated(value)
        named = expand(config)
    except WsedError as error:
        raise WsedError(f"{file}: {error}") from None
    assert isinstance(named, dict)
    return named, moved
