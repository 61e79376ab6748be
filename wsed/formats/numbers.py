"""Numbers in cells: seconds and confidences; errors name the row."""

import math
from pathlib import Path

from wsed.formats.rows import RowError


def certainty(path: str | Path, line: int, name: str, cell: str) -> float:
    """A confidence from 0 to 1.

    >>> certainty("events.csv", 2, "score", "0.5")
    0.5

    Raises:
        RowError: the cell is not such a number, such as one in per cent.
    """
    return number(path, line, name, cell, "a number from 0 to 1", most=1.0)


def number(
    path: str | Path,
    line: int,
    name: str,
    cell: str,
    expected: str = "seconds, such as 1.25",
    most: float = math.inf,
) -> float:
    """A number of 0 or more, with a point or, as some spreadsheets write it, a comma.

    >>> number("events.csv", 2, "start", "0,341")
    0.341

    Raises:
        RowError: the cell is not such a number.
    """
    try:
        value = float(cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell else cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or not 0 <= value <= most:
        raise RowError(path, line, f"{name} is {cell!r}, expected {expected}; correct the cell, or delete the row")
    return value


def is_number(text: str) -> bool:
    """Whether a cell is a number, with a point or a comma.

    >>> is_number("0,5"), is_number("-1"), is_number("Dog")
    (True, True, False)
    """
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def span(path: str | Path, line: int, onset: float, offset: float) -> None:
    """Refuse an offset before its onset."""
    if offset < onset:
        raise RowError(
            path, line, f"the event ends at {offset:g} s, before its start at {onset:g} s; correct the times"
        )
