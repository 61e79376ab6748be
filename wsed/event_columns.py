"""Helpers of `Events`: rows of tables, and the greatest gain per frame."""

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
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


def frames_of(
    onset: Float[Tensor, " event"], offset: Float[Tensor, " event"], end: Int[Tensor, " event"] | int, frame_rate: float
) -> tuple[Float[Tensor, " event"], Float[Tensor, " event"]]:
    """The first frame of each event, and the frame after its last: those nearest to its times, at least one frame.

    An event that begins in the second half of the last frame of its clip, `end - 1`, covers that frame.
    """
    first = (onset * frame_rate).round()
    first = torch.where(onset * frame_rate < end, first.clamp(max=end - 1), first)
    return first, torch.maximum((offset * frame_rate).round(), first + 1)


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


def frame_grid(
    columns: tuple[Tensor, ...],
    n_clips: int,
    n_labels: int,
    n_frames: int,
    frame_rate: float,
    valid: Bool[Tensor, "clip frame"] | None = None,
) -> Float[Tensor, "clip frame label"]:
    """See `Events.rasterise`; `columns` are those of `Events`."""
    clip, label, onset, offset, gain, group = columns
    first, stop = frames_of(onset, offset, n_frames if valid is None else valid.sum(1)[clip], frame_rate)
    frames = torch.arange(n_frames, device=onset.device)
    active = (frames >= first[:, None]) & (frames < stop[:, None])
    values = active.float() * gain[:, None].float()
    row, gains = greatest(values, clip * n_labels + label, group)
    grid = values.new_zeros(n_clips * n_labels, n_frames).index_add_(0, row, gains)
    return grid.clamp_(max=1).view(n_clips, n_labels, n_frames).transpose(1, 2)
