"""The space of `wsed search`: which settings are searched, and where their values go in a configuration."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeGuard, runtime_checkable

from wsed.cli.configs import Config
from wsed.errors import WsedError, near
from wsed.text import read_yaml


@runtime_checkable
class Draws(Protocol):
    """The methods of an optuna trial that draw values."""

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str: ...
    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int: ...
    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float: ...


KEYS = ("low", "high", "log", "choices")


@dataclass(frozen=True)
class Range:
    """The values of a setting: numbers between two limits (integers if both limits are), or choices.

    Args:
        low: least value.
        high: greatest value.
        log: whether to search on a logarithmic scale.
        choices: the values, instead of limits.
    """

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: tuple[object, ...] = ()

    def suggest(self, trial: Draws, name: str) -> object:
        """Let an optuna trial draw a value. Choices are stored as JSON, so they may be lists."""
        if self.choices:
            return json.loads(trial.suggest_categorical(name, [json.dumps(value) for value in self.choices]))
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        assert self.low is not None, "a range without choices has both ends"
        assert self.high is not None
        return trial.suggest_float(name, self.low, self.high, log=self.log)


def read_space(path: Path) -> dict[str, Range]:
    """Read the ranges from a YAML file, by the dotted paths of the settings.

    Raises:
        WsedError: there is no such file, or an entry is neither a range nor a list of choices.
    """
    ranges = read_yaml(path, "--space")
    if not isinstance(ranges, dict) or not ranges:
        raise WsedError(f"--space {path} names no settings; write e.g. model.optimizer.lr: {{low: 1e-4, high: 1e-2}}")
    return {str(name): _range(path, str(name), entry) for name, entry in ranges.items()}


def _range(path: Path, name: str, entry: object) -> Range:
    where = f"{path}: {name}"
    if not isinstance(entry, Mapping):
        raise WsedError(f"{where} is {entry!r}; write {{low: ..., high: ...}} or {{choices: [...]}}")
    for key in entry:
        if key not in KEYS:
            raise WsedError(f"{where} has {key!r}{near(str(key), KEYS)}; known: {', '.join(KEYS)}")
    if "choices" in entry:
        choices = entry["choices"]
        if not isinstance(choices, list) or not choices or len(entry) > 1:
            raise WsedError(f"{where}: choices must be a list that is not empty, without low, high and log")
        return Range(choices=tuple(choices))
    low, high, log = entry.get("low"), entry.get("high"), entry.get("log", False)
    if not _number(low) or not _number(high):
        raise WsedError(f"{where} needs the numbers low and high, or choices")
    if low >= high or (log and low <= 0):
        raise WsedError(f"{where}: low ({low:g}) must be below high ({high:g}){', and above 0 with log' * bool(log)}")
    return Range(low, high, bool(log))


def _number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def places(config: Mapping[str, object], space: Mapping[str, Range]) -> dict[str, tuple[str, ...]]:
    """The full path of each setting in a configuration; the paths in the space may leave `init_args` out.

    Raises:
        WsedError: the configuration has no such setting; the message has similar names.
    """
    known: dict[str, tuple[str, ...]] = {}
    for path in _paths(config):
        known.setdefault(".".join(part for part in path if part != "init_args"), path)
    exact = {".".join(path): path for path in known.values()}
    for name in space:
        if name not in known and name not in exact:
            raise WsedError(
                f"--space: the configuration has no setting {name!r}{near(name, known)}; "
                "`wsed fit --config ... --print_config` shows all"
            )
    return {name: exact[name] if name in exact else known[name] for name in space}


def _paths(config: Mapping[str, object], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in config.items():
        yield (*above, str(key))
        if isinstance(value, Mapping):
            yield from _paths(value, (*above, str(key)))


def put(config: Config, path: tuple[str, ...], value: object) -> None:
    """Set one value in a nested configuration."""
    for key in path[:-1]:
        inner = config[key]
        assert isinstance(inner, dict), "the path is of this configuration"
        config = inner
    config[path[-1]] = value
