"""Conversion to and from JSON, where null stands for NaN."""

import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from wsed.errors import WsedError

Plain = Mapping[str, Any]
"""A JSON object: numbers, strings, lists and objects by name."""


def without_nan(value: object) -> object:
    """Nested values with None for NaN and infinity, which JSON does not have.

    >>> without_nan({"macro": float("nan"), "n_ref": 3})
    {'macro': None, 'n_ref': 3}
    """
    if isinstance(value, Mapping):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_json(value: Plain) -> str:
    r"""JSON text with null for NaN and infinity.

    >>> to_json({"macro": float("nan")})
    '{\n "macro": null\n}\n'
    """
    return json.dumps(without_nan(value), indent=1) + "\n"


def number(value: float | int | None) -> float | int:
    """A number from JSON; None becomes NaN.

    >>> number(None), number(3)
    (nan, 3)
    """
    if value is None:
        return float("nan")
    return value if isinstance(value, int) else float(value)


T = TypeVar("T")


class Found(dict[str, T]):
    """Parts of a report by name, as they were read from a file.

    Raises:
        WsedError: (when a part is taken by `[]`) there is none of that name.

    >>> Found({"macro": 0.5})["micro"]
    Traceback (most recent call last):
    wsed.errors.WsedError: the report lacks 'micro' (it has macro); score again
    """

    def __missing__(self, name: str) -> T:
        raise WsedError(f"the report lacks {name!r} (it has {', '.join([*self][:10]) or 'nothing'}); score again")


def numbers(values: Mapping[str, float | int | None]) -> Found[float | int]:
    """Numbers by name from JSON; None becomes NaN.

    >>> numbers({"macro": None, "n_ref": 3})
    {'macro': nan, 'n_ref': 3}
    """
    return Found({name: number(value) for name, value in values.items()})
