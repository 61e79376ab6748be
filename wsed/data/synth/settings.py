"""Checks of the settings of a recipe.

Each check takes a value and its name and returns the value in the type of the recipe. A wrong value raises a
`WsedError` with the name of the setting, the value and what is expected.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from wsed.errors import WsedError, near

SPLITS = ("train", "validation", "eval")
"""The splits of a soundbank and of a corpus made from it; no sound is used in two splits."""

_INFINITY = float("inf")


def check_name(name: object, valid: Iterable[str], where: str, kind: str) -> None:
    """Raise an error with similar names if `name` is not valid.

    Args:
        name: the name to check.
        valid: all valid names.
        where: the setting that holds the name, for the message; may be empty.
        kind: what the name is of, for the message: `setting`, `split`, ...

    >>> check_name("evl", SPLITS, "clips", "split")
    Traceback (most recent call last):
    wsed.errors.WsedError: clips: unknown split 'evl' (did you mean eval?); known: train, validation, eval
    """
    names = list(valid)
    if name not in names:
        place = f"{where}: " if where else ""
        raise WsedError(f"{place}unknown {kind} {name!r}{near(str(name), names)}; known: {', '.join(names)}")


def check_names(settings: object, valid: Iterable[str], where: str) -> None:
    """Raise an error with similar names if `settings` is not a mapping or has a key that is not valid.

    >>> check_names({"snr": [0, 25]}, ["snr", "gain"], "splits.train")
    """
    names = list(valid)
    for name in mapping(settings, where):
        check_name(name, names, where, "setting")


def mapping(value: object, name: str) -> Mapping[object, object]:
    """A mapping with any contents.

    >>> mapping({"Dog": 2}, "classes")
    {'Dog': 2}
    """
    if not isinstance(value, Mapping):
        raise WsedError(f"{name} is {value!r}, expected a mapping ('{name}: {{...}}')")
    return value


def number(value: object, name: str, low: float = -_INFINITY, high: float = _INFINITY) -> float:
    """A number between `low` and `high`.

    >>> number(-1, "fade", low=0.0, high=0.1)
    Traceback (most recent call last):
    wsed.errors.WsedError: fade is -1, expected a number from 0 to 0.1
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise WsedError(f"{name} is {value!r}, expected a number{_bounds(low, high)}")
    return float(value)


def whole_number(value: object, name: str, low: int = 0) -> int:
    """A whole number, `low` or more.

    >>> whole_number(2, "polyphony", low=1)
    2
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise WsedError(f"{name} is {value!r}, expected a whole number, {low} or more")
    return value


def number_range(value: object, name: str, low: float = -_INFINITY) -> tuple[float, float]:
    """Two numbers in ascending order, `low` or more.

    >>> number_range([0, 25], "snr")
    (0.0, 25.0)
    """
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise WsedError(f"{name} is {value!r}, expected a lowest and a highest value: [low, high]")
    first, last = (number(v, name, low) for v in value)
    if first > last:
        raise WsedError(f"{name} is [{first:g}, {last:g}]: the lowest value comes first; write [{last:g}, {first:g}]")
    return first, last


def weights(value: object, name: str, high: float = _INFINITY) -> dict[str, float]:
    """A number from 0 to `high` per class.

    >>> weights({"Dog": 2}, "classes")
    {'Dog': 2.0}
    """
    return {str(k): number(v, f"{name}.{k}", 0.0, high) for k, v in mapping(value, name).items()}


def clip_counts(value: object, name: str) -> dict[str, int]:
    """A number of clips per split.

    >>> clip_counts({"train": 100}, "clips")
    {'train': 100}
    """
    counts: dict[str, int] = {}
    for split, n in mapping(value, name).items():
        check_name(split, SPLITS, name, "split")
        counts[str(split)] = whole_number(n, f"{name}.{split}")
    return counts


def event_weights(value: object, name: str) -> dict[int, float]:
    """A weight per number of events; numbers with weight 0 are dropped.

    >>> event_weights({0: 0, 1: 0.5, 2: 0.5}, "events")
    {1: 0.5, 2: 0.5}
    """
    by_number = {
        whole_number(k, f"a key of {name}"): number(v, f"{name}.{k}", 0.0) for k, v in mapping(value, name).items()
    }
    if not sum(by_number.values()):
        raise WsedError(f"{name} has no number of events with a weight above 0; write for example {{1: 0.5, 2: 0.5}}")
    return {n: weight for n, weight in by_number.items() if weight}


def companions(value: object, name: str) -> dict[str, dict[str, float]]:
    """Probabilities of companion classes per leading class.

    >>> companions({"Frying": {"Speech": 0.5}}, "together")
    {'Frying': {'Speech': 0.5}}
    """
    return {str(k): weights(v, f"{name}.{k}", 1.0) for k, v in mapping(value, name).items()}


def flag(value: object, name: str) -> bool:
    """True or False.

    >>> flag(True, "balanced")
    True
    """
    if not isinstance(value, bool):
        raise WsedError(f"{name} is {value!r}, expected true or false")
    return value


def _duration_or_none(value: object, name: str) -> float | None:
    return None if value is None else number(value, name, 0.02)


def _bounds(low: float, high: float) -> str:
    if high < _INFINITY:
        return f" from {low:g} to {high:g}" if low > -_INFINITY else f", {high:g} or less"
    return f", {low:g} or more" if low > -_INFINITY else ""


CHECKS: Mapping[str, Callable[[object, str], object]] = {
    "clips": clip_counts,
    "clip": partial(number, low=0.1, high=3600.0),
    "sample_rate": partial(whole_number, low=1000),
    "events": event_weights,
    "polyphony": partial(whole_number, low=1),
    "snr": number_range,
    "classes": weights,
    "balanced": flag,
    "together": companions,
    "extend": partial(weights, high=1.0),
    "extend_to": partial(number_range, low=0.1),
    "shortest": partial(number, low=0.02),
    "longest": _duration_or_none,
    "fade": partial(number, low=0.0, high=0.1),
    "crossfade": partial(number, low=0.0, high=1.0),
    "background_level": partial(number, low=-60.0, high=0.0),
    "background_floor": partial(number, low=-120.0, high=0.0),
    "max_gain": number,
    "gain": number_range,
    "splits": mapping,
}
"""Setting of a recipe -> its check."""


def checked(settings: Mapping[str, object]) -> dict[str, object]:
    """Check settings of a recipe with known names; returns them in the types of the recipe.

    >>> checked({"snr": [0, 25], "polyphony": 1})
    {'snr': (0.0, 25.0), 'polyphony': 1}
    """
    return {name: CHECKS[name](value, name) for name, value in settings.items()}
