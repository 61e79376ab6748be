"""Thresholds of F1 metrics: one for all classes, or one per class, also from a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from wsed.errors import WsedError, near
from wsed.scoring.formats.event_table import read_table
from wsed.types import Labels

Threshold = float | Mapping[str, float] | None
"""One for all classes, or one per class (0.5 for other classes); None: the default."""

PerLabel = float | tuple[float, ...] | None
"""The same in the order of the classes."""

USUAL = 0.5


def read_thresholds(words: Sequence[str]) -> Threshold:
    r"""Thresholds as they are typed: a number, `Class=0.3`, or the name of a table `event_label, threshold`.

    A number beside classes is for the classes that are not named.

    Raises:
        WsedError: a word is none of these, or the table is malformed.

    >>> read_thresholds(["0.4"]), read_thresholds(["Dog=0.3", "Cat=0.6"])
    (0.4, {'Dog': 0.3, 'Cat': 0.6})
    """
    others: float | None = None
    named: dict[str, float] = {}
    for word in words:
        label, equals, value = word.rpartition("=")
        number = _number(value)
        if Path(word).is_file():
            named |= _read(Path(word))
        elif number is None:
            raise WsedError(f"--threshold {word!r} is neither a number nor Class=NUMBER nor an existing file")
        elif equals:
            named[label] = number
        else:
            others = number
    return others if not named else named if others is None else {**named, "": others}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _read(path: Path) -> Mapping[str, float]:
    table = read_table(path, ("event_label", "threshold"), ("threshold",))
    if not table.columns:
        raise WsedError(f"{path} is empty; expected rows of event_label and threshold")
    values = table.numbers("threshold", "a threshold (a number)", lambda x: x == x)
    return dict(zip(table.columns["event_label"], values.tolist(), strict=True))


def per_label(threshold: Threshold, labels: Labels) -> PerLabel:
    """The threshold of each class; one number if all classes share it.

    Raises:
        WsedError: a class is unknown, or a threshold is NaN.

    >>> per_label({"Dog": 0.3}, Labels(["Cat", "Dog"]))
    (0.5, 0.3)
    """
    if not isinstance(threshold, Mapping):
        if threshold is not None and not abs(threshold) < float("inf"):
            raise WsedError(f"the threshold must be a number, not {threshold}")
        return threshold
    for name, value in threshold.items():
        if name and name not in labels.names:
            raise WsedError(
                f"there is a threshold for {name!r}, which is not a class of the reference{near(name, labels)}; "
                f"known: {', '.join(labels)}"
            )
        if value != value:
            raise WsedError(f"the threshold of {name!r} must be a number, not {value}")
    return tuple(threshold.get(name, threshold.get("", USUAL)) for name in labels)
