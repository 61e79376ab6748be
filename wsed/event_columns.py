"""Helpers of `Events`: rows of tables, and the greatest gain per frame."""

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from wsed.errors import WsedError, near

COLUMNS = ("filename", "onset", "offset", "event_label")


@runtime_checkable
class TableLike(Protocol):
    """A table by columns, such as a `pandas.DataFrame` or a dict of lists."""

    def __getitem__(self, name: str, /) -> Iterable[object]:
        """The cells of a column."""


def rows_of(table: TableLike, clip_ids: Sequence[str], labels: Sequence[str]) -> list[tuple[int, int, float, float]]:
    """Rows `(clip, label, onset, offset)` of a table `filename, onset, offset, event_label`.

    Raises:
        WsedError: a column is missing, or a row has an unknown clip or class, or invalid times.

    >>> rows_of({"filename": ["a"], "onset": [0], "offset": [1], "event_label": ["Dog"]}, ["a"], ["Dog"])
    [(0, 0, 0.0, 1.0)]
    """
    if isinstance(table, str) or not isinstance(table, TableLike):
        raise WsedError(f"expected a table with the columns {', '.join(COLUMNS)}, not {type(table).__name__}")
    columns = []
    for name in COLUMNS:
        try:
            columns.append(list(table[name]))
        except (KeyError, TypeError, IndexError):
            raise WsedError(f"the table has no column {name}; it needs {', '.join(COLUMNS)}") from None
    clips, classes = ({name: i for i, name in enumerate(names)} for names in (clip_ids, labels))
    rows: list[tuple[int, int, float, float]] = []
    for number, (clip, onset, offset, label) in enumerate(zip(*columns, strict=True)):
        if label is None or label != label or label == "":  # a clip without events
            continue
        for what, name, known in (("clip", clip, clips), ("class", label, classes)):
            if name not in known:
                raise WsedError(f"row {number} of the table: unknown {what} {name!r}{near(str(name), known)}")
        try:
            start, end = float(str(onset)), float(str(offset))
        except ValueError:
            start = end = float("nan")
        if not 0 <= start <= end < float("inf"):
            raise WsedError(
                f"row {number} of the table: onset {onset!r} and offset {offset!r} are not times in seconds"
            )
        rows.append((clips[str(clip)], classes[str(label)], start, end))
    return rows


def greatest(
    values: Float[Tensor, "event frame"], row: Int[Tensor, " event"], group: Int[Tensor, " event"]
) -> tuple[Int[Tensor, " event"], Float[Tensor, "event frame"]]:
    """The row of each pair of row and group, and the greatest value per frame of the events of the pair.

    The results have as many entries as there are events: those after the last pair are 0.
    """
    order = group.argsort(stable=True)
    order = order[row[order].argsort(stable=True)]
    row, group = row[order], group[order]
    begins = torch.ones_like(row, dtype=torch.bool)
    begins[1:] = (row[1:] != row[:-1]) | (group[1:] != group[:-1])
    pair = begins.cumsum(0) - 1  # index of the pair of row and group
    greatest = torch.zeros_like(values).scatter_reduce_(0, pair[:, None].expand_as(values), values[order], "amax")
    return torch.zeros_like(row).scatter_(0, pair, row), greatest
