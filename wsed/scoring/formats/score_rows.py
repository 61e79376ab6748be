"""Rows of score tables: onset, offset and the scores of each frame. Several tables are parsed together, for speed."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from wsed.data.table import RowError
from wsed.formats.decimals import decimal_table
from wsed.scoring.formats.event_table import read_table

GAP = 1e-6
"""Seconds between the end of a frame and the start of the next that count as rounding."""

Grid = Float[np.ndarray, "frame column"]
"""Onset, offset and scores of each frame."""


@dataclass(frozen=True)
class Layout:
    """The columns of a table, from its header; `places` are those of onset, offset and the classes of the reference."""

    separator: str
    width: int
    places: tuple[int, ...]
    classes: frozenset[str]


@dataclass(frozen=True)
class ScoreTable:
    """The text of a score table, not yet parsed."""

    path: Path
    text: str
    layout: Layout

    @property
    def body(self) -> str:
        """The rows below the header, each with a line end; empty if there are none."""
        rows = self.text.partition("\n")[2].rstrip("\n")
        return rows + "\n" if rows.strip() else ""


def grids(tables: Sequence[ScoreTable], labels: Sequence[str]) -> list[Grid]:
    """Onset, offset and scores of the frames of each table.

    Raises:
        WsedError: a row is malformed, or is not a frame that follows the one before; the message names file and row.
    """
    together = _together(tables) if len({table.layout for table in tables}) == 1 else None
    return [_alone(table, labels) for table in tables] if together is None else together


def _together(tables: Sequence[ScoreTable]) -> list[Grid] | None:
    """The grids of tables with the same header; None if a table needs a closer look."""
    layout, bodies = tables[0].layout, [table.body for table in tables]
    grid = decimal_table("".join(bodies), layout.separator)
    if grid is None or grid.shape[1] != layout.width:
        return None
    first = np.cumsum([0, *(body.count("\n") for body in bodies)])[:-1]
    grid = grid[:, list(layout.places)]
    return None if _flaw(grid, first) else np.split(grid, first[1:])


def _alone(table: ScoreTable, labels: Sequence[str]) -> Grid:
    grid = _quick(table.body, table.layout)
    if grid is not None and not _flaw(grid):
        return grid
    # Cell by cell, to name the row in the message, or because other columns do not hold numbers.
    cells = read_table(table.path, ("onset", "offset", *labels), ("onset", "offset"), table.text)
    times = [cells.numbers(name, "seconds (a number)", np.isfinite) for name in ("onset", "offset")]
    scores = [cells.numbers(name, "a score (a number)", lambda x: ~np.isnan(x)) for name in labels]
    grid = np.stack([*times, *scores], axis=1)
    flaw = _flaw(grid)
    if flaw:
        raise RowError(table.path, cells.lines[flaw[0]], flaw[1])
    return grid


def _quick(body: str, layout: Layout) -> Grid | None:
    """Onset, offset and scores; None if a cell is not a number or rows differ in length."""
    if not body:
        return np.zeros((0, len(layout.places)))
    try:
        grid = np.loadtxt(io.StringIO(body), delimiter=layout.separator, comments=None, ndmin=2)
    except ValueError:
        return None
    return grid[:, list(layout.places)] if grid.shape[1] == layout.width else None


def _flaw(grid: Grid, first: Sequence[int] | np.ndarray = (0,)) -> tuple[int, str] | None:
    """The first row that is not a frame after the one before, and the reason; the rows `first` have none before."""
    onset, offset = grid[:, 0], grid[:, 1]
    bad = np.isnan(grid).any(axis=1) | ~np.isfinite(onset) | ~(offset > onset) | ~np.isfinite(offset)
    loose = np.zeros_like(bad)
    loose[1:] = ~(np.abs(onset[1:] - offset[:-1]) <= GAP)
    loose[[i for i in first if i < len(loose)]] = False
    if not (bad | loose).any():
        return None
    i = int((bad | loose).argmax())
    if bad[i]:
        return i, f"offset {offset[i]:.10g} is not after onset {onset[i]:.10g}; every row is a frame, in order of time"
    text = f"the frame starts at {onset[i]:.10g} s, but the one before ends at {offset[i - 1]:.10g} s"
    return i, f"{text}; frames must follow one another without gap or overlap"
