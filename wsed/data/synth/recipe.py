"""Recipes for synthetic soundscapes: what a clip is made of. The constructor of `Recipe` is the YAML schema."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from functools import partial
from importlib import resources
from typing import Any

from wsed.errors import WsedError
from wsed.registry import near
from wsed.text import parse_yaml, read_yaml

SPLITS = ("train", "validation", "eval")
"""The splits of a soundbank and of a corpus; sounds never cross from one to another."""

PACKAGED = resources.files("wsed.data.synth") / "recipes"
"""Folder of the recipes that come with the library."""

_GLOBAL = frozenset({"clips", "clip", "sample_rate", "splits"})


@dataclass(frozen=True)
class Recipe:
    """How soundscapes are drawn. Class names may be patterns (`"*toothbrush"`, case is ignored).

    Args:
        clips: clips to make of each split.
        clip: length of a clip, seconds.
        sample_rate: Hz.
        events: number of events in a clip -> weight. A clip can end with fewer, where no room is left.
        polyphony: most events at a time.
        snr: lowest and highest signal-to-noise ratio of a sound, dB: mean power of the sound while it is active
            over mean power of the clip's background.
        classes: class -> weight of being the leading class of a clip; 1 where not named, 0 to leave a class out.
        balanced: the leading class goes round the classes instead of being drawn; `classes` then only leaves out.
        together: leading class -> {companion: probability that the companion is in the clip too}.
        extend: class -> probability that a sound of it is looped to last longer.
        extend_to: range from which the duration of an extended sound is drawn, seconds; cut at the clip's length.
        shortest: active stretches of a recording shorter than this are not used, seconds.
        longest: of a longer event only this much is heard, seconds, from a random place of it; that stays where it is
            in the clip, so with and without it a seed gives the same sounds, backgrounds and places. None: any length.
        fade: raised-cosine fade at both ends of a sound, seconds.
        crossfade: at the seams of a looped sound or background, seconds.
        background_level: level of the background, dBFS RMS.
        background_floor: level of white noise in it, dB over the background: masks what the sources left behind.
        max_gain: most a recording is amplified, dB. Its own noise rises with it, so where this binds the SNR is lower.
        gain: lowest and highest gain of the finished clip, dB.
        splits: split -> any of the settings above from `events` on, in place of the general ones.

    Raises:
        WsedError: a value is out of its range; the message names the setting.
    """

    clips: Mapping[str, int]
    clip: float = 10.0
    sample_rate: int = 16000
    events: Mapping[int, float] = field(default_factory=lambda: {1: 1.0})
    polyphony: int = 2
    snr: tuple[float, float] = (6.0, 30.0)
    classes: Mapping[str, float] = field(default_factory=dict)
    balanced: bool = False
    together: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    extend: Mapping[str, float] = field(default_factory=dict)
    extend_to: tuple[float, float] = (4.0, 10.0)
    shortest: float = 0.1
    longest: float | None = None
    fade: float = 0.01
    crossfade: float = 0.2
    background_level: float = -30.0
    background_floor: float = -15.0
    max_gain: float = 15.0
    gain: tuple[float, float] = (-6.0, 0.0)
    splits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in _checked({f.name: getattr(self, f.name) for f in fields(self)}).items():
            object.__setattr__(self, name, value)
        for split, settings in self.splits.items():
            _named(split, SPLITS, "splits", "split")
            _named_all(settings, [f.name for f in fields(self) if f.name not in _GLOBAL], f"splits.{split}")
            self.of(split)

    def of(self, split: str) -> "Recipe":
        """The recipe as it holds for one split."""
        return replace(self, splits={}, **_checked(self.splits.get(split, {})))

    def resolve(self, labels: Iterable[str]) -> "Recipe":
        """The recipe with every class pattern replaced by the classes it matches.

        Raises:
            WsedError: a pattern matches none of `labels`.
        """
        known = sorted(labels)
        weights = dict.fromkeys(known, 1.0) | _expand(self.classes, known, "classes")
        together = {
            lead: {k: p for k, p in _expand(companions, known, f"together.{lead}").items() if k != lead}
            for lead, companions in _expand(self.together, known, "together").items()
        }
        if not any(weights.values()):
            raise WsedError("classes: every class has weight 0; give at least one a weight above 0")
        return replace(self, classes=weights, together=together, extend=_expand(self.extend, known, "extend"))


def used_classes(recipe: Recipe) -> set[str]:
    """The classes a resolved recipe can put into a clip."""
    leads = {name for name, weight in recipe.classes.items() if weight > 0}
    return leads | {k for lead in leads for k, p in recipe.together.get(lead, {}).items() if p > 0}


def packaged() -> list[str]:
    """Names of the recipes that come with the library."""
    return sorted(f.name.removesuffix(".yaml") for f in PACKAGED.iterdir() if f.name.endswith(".yaml"))


def load_recipe(name: str) -> Recipe:
    """A recipe by packaged name (`domestic`) or from a YAML file.

    `like: NAME` in it takes the settings of a packaged recipe, for those that it does not give itself.

    Raises:
        WsedError: no such recipe, no YAML, an unknown setting or a value out of range; names the file and the setting.
    """
    known = packaged()
    if name not in known and not os.path.exists(name):  # noqa: PTH110 - a name that is too long is no error
        raise WsedError(f"no recipe {name!r}{near(name, known)}: neither a YAML file nor one of {', '.join(known)}")
    where, values = _settings(name)
    try:
        if "like" in values:
            like = values.pop("like")
            _named(like, known, "like", "recipe")
            values = _settings(like)[1] | values
        _named_all(values, [f.name for f in fields(Recipe)], "")
        if "clips" not in values:
            raise WsedError("no setting 'clips'; say how many clips to make: 'clips: {train: 1500, validation: 300}'")
        return Recipe(**_checked(values))
    except WsedError as error:
        raise WsedError(f"{where}: {error}") from None


def _settings(name: str) -> tuple[str, dict[str, Any]]:
    """What messages call a recipe, and its settings as they stand in its file."""
    if name in packaged():
        values, where = parse_yaml((PACKAGED / f"{name}.yaml").read_text("utf-8")), f"recipe {name}"
    else:
        values, where = read_yaml(name, "recipe"), name
    if not isinstance(values, dict):
        raise WsedError(f"{where}: expected settings such as 'clips: {{train: 100}}', found {type(values).__name__}")
    return where, values


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as the recipe holds them (numbers as floats, ranges as tuples), each held to its range."""
    return {name: _CHECKS[name](value, name) for name, value in values.items()}


def _named(name: object, known: Iterable[str], where: str, kind: str) -> None:
    known = list(known)
    if name not in known:
        place = f"{where}: " if where else ""
        raise WsedError(f"{place}unknown {kind} {name!r}{near(str(name), known)}; known: {', '.join(known)}")


def _named_all(settings: object, known: list[str], where: str) -> None:
    for name in _mapping(settings, where):
        _named(name, known, where, "setting")


def _mapping(value: object, name: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise WsedError(f"{name} is {value!r}, expected a mapping ('{name}: {{...}}')")
    return value


def _number(value: object, name: str, low: float = float("-inf"), high: float = float("inf")) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise WsedError(f"{name} is {value!r}, expected a number{_bounds(low, high)}")
    return float(value)


def _limit(value: object, name: str) -> float | None:
    return None if value is None else _number(value, name, 0.02)


def _whole(value: object, name: str, low: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise WsedError(f"{name} is {value!r}, expected a whole number, {low} or more")
    return value


def _range(value: object, name: str, low: float = float("-inf")) -> tuple[float, float]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise WsedError(f"{name} is {value!r}, expected a lowest and a highest value: [low, high]")
    first, last = (_number(v, name, low) for v in value)
    if first > last:
        raise WsedError(f"{name} is [{first:g}, {last:g}]: the lowest value comes first; write [{last:g}, {first:g}]")
    return first, last


def _weights(value: object, name: str, high: float = float("inf")) -> dict[str, float]:
    return {str(k): _number(v, f"{name}.{k}", 0.0, high) for k, v in _mapping(value, name).items()}


def _counts(value: object, name: str) -> dict[str, int]:
    counts = _mapping(value, name)
    for split in counts:
        _named(split, SPLITS, name, "split")
    return {split: _whole(n, f"{name}.{split}") for split, n in counts.items()}


def _events(value: object, name: str) -> dict[int, float]:
    weights = {_whole(k, f"a key of {name}"): _number(v, f"{name}.{k}", 0.0) for k, v in _mapping(value, name).items()}
    if not sum(weights.values()):
        raise WsedError(f"{name} has no number of events with a weight above 0; write for example {{1: 0.5, 2: 0.5}}")
    return {n: weight for n, weight in weights.items() if weight}


def _together(value: object, name: str) -> dict[str, dict[str, float]]:
    return {str(k): _weights(v, f"{name}.{k}", 1.0) for k, v in _mapping(value, name).items()}


def _flag(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise WsedError(f"{name} is {value!r}, expected true or false")
    return value


def _bounds(low: float, high: float) -> str:
    if high < float("inf"):
        return f" from {low:g} to {high:g}" if low > float("-inf") else f", {high:g} or less"
    return f", {low:g} or more" if low > float("-inf") else ""


def _expand(settings: Mapping[str, Any], labels: list[str], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    # Exact names last, so that they win over patterns whatever their order.
    for pattern in sorted(settings, key=lambda p: p in labels):
        matches = [k for k in labels if fnmatchcase(k.lower(), pattern.lower())]
        if not matches:
            raise WsedError(
                f"{where}: the soundbank has no class {pattern!r}{near(pattern, labels)}, only {', '.join(labels)}; "
                "take the name out, or use the recipe 'plain', which names no class"
            )
        found |= dict.fromkeys(matches, settings[pattern])
    return found


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "clips": _counts,
    "clip": partial(_number, low=0.1, high=3600.0),
    "sample_rate": partial(_whole, low=1000),
    "events": _events,
    "polyphony": partial(_whole, low=1),
    "snr": _range,
    "classes": _weights,
    "balanced": _flag,
    "together": _together,
    "extend": partial(_weights, high=1.0),
    "extend_to": partial(_range, low=0.1),
    "shortest": partial(_number, low=0.02),
    "longest": _limit,
    "fade": partial(_number, low=0.0, high=0.1),
    "crossfade": partial(_number, low=0.0, high=1.0),
    "background_level": partial(_number, low=-60.0, high=0.0),
    "background_floor": partial(_number, low=-120.0, high=0.0),
    "max_gain": _number,
    "gain": _range,
    "splits": _mapping,
}
