"""Files of events whose format is recognised by their name and first line."""

from pathlib import Path
from typing import Literal

from wsed.errors import WsedError
from wsed.formats import audacity, raven, table, textgrid
from wsed.formats.event import Event
from wsed.formats.numbers import is_number
from wsed.formats.table import Columns
from wsed.text import read_text

SUFFIXES = (".csv", ".tsv", ".txt", ".textgrid")
"""Suffixes of files that may hold events."""

Format = Literal["audacity", "raven", "textgrid", "table"]


def format_of(path: str | Path) -> Format:
    """The format of a file of events.

    Raises:
        WsedError: the file is missing, or its format is unknown.
    """
    path = Path(path)
    if path.suffix.lower() == ".textgrid":
        return "textgrid"
    first = next((line for line in read_text(path, "file of events").split("\n") if line.strip()), "")
    if raven.is_raven(first):
        return "raven"
    if path.suffix.lower() in (".csv", ".tsv"):
        return "table"
    cells = first.split("\t")
    if not first or (len(cells) >= 3 and all(is_number(cell) for cell in cells[:2])):
        return "audacity"
    if table_like(first):
        return "table"
    raise WsedError(
        f"{path} is not a file of events of a known format: expected a table with a header, a Raven selection table, "
        f"an Audacity label track or a TextGrid; its first line is {first[:60]!r}"
    )


def read_events(path: str | Path, columns: Columns | None = None, setting: str = "columns") -> list[Event]:
    """The events of a file; arguments and errors as in `wsed.formats.table.read`.

    Raises:
        WsedError: the format is not known, or the file cannot be read.
    """
    match format_of(path):
        case "audacity":
            return audacity.read(path)
        case "raven":
            return raven.read(path, None if columns is None else columns.label)
        case "textgrid":
            return textgrid.read(path)
        case "table":
            return table.read(path, columns, setting)


def table_like(first: str) -> bool:
    """Whether a line may be the header of a table of events."""
    return any(mark in first for mark in "\t,;") and not any(is_number(cell) for cell in first.split("\t"))
