"""Nested plain values: what JSON holds. The one place where NaN becomes null and null becomes NaN."""

import json
import math
from collections.abc import Mapping
from typing import Any

Plain = Mapping[str, Any]
"""An object of JSON: its values are numbers, texts, lists and objects."""


def without_nan(value: object) -> object:
    """Nested values with None for NaN and infinity, which JSON does not know.

    >>> without_nan({"macro": float("nan"), "n_ref": 3})
    {'macro': None, 'n_ref': 3}
    """
    if isinstance(value, Mapping):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_json(value: Plain) -> str:
    """JSON with null for numbers that do not exist."""
    return json.dumps(without_nan(value), indent=1) + "\n"


def number(value: float | int | None) -> float | int:
    """A number read from JSON; null is NaN."""
    if value is None:
        return float("nan")
    return value if isinstance(value, int) else float(value)


def numbers(values: Mapping[str, float | int | None]) -> dict[str, float | int]:
    """Numbers by name, null as NaN.

    >>> numbers({"macro": None, "n_ref": 3})
    {'macro': nan, 'n_ref': 3}
    """
    return {name: number(value) for name, value in values.items()}
