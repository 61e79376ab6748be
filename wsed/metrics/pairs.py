"""Index arithmetic shared by the metrics: long-form events as arrays, and pairs of them that lie near one another."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import WsedError
from wsed.types import Events

Index = Int[np.ndarray, " pair"]


class Columns(NamedTuple):
    """Events as float64 and int64 arrays, in the order given."""

    clip: Int[np.ndarray, " event"]
    label: Int[np.ndarray, " event"]
    onset: Float[np.ndarray, " event"]
    offset: Float[np.ndarray, " event"]

    def take(self, keep: Bool[np.ndarray, " event"] | Int[np.ndarray, " event"]) -> "Columns":
        """The events selected by a mask or an index."""
        index = np.flatnonzero(keep) if keep.dtype == np.bool_ else keep  # the mask is read once, not once a column
        return Columns(*(column[index] for column in self))


def columns(events: Events, n_labels: int) -> Columns:
    """The arrays behind `events`: not copies where they have the right type already, so they must not be written to.

    Raises:
        WsedError: a label is not in 0..`n_labels`-1.
    """
    clip, label = (_array(column, np.int64) for column in (events.clip, events.label))
    onset, offset = (_array(column, np.float64) for column in (events.onset, events.offset))
    if label.size and not 0 <= label.min() <= label.max() < n_labels:
        raise WsedError(f"event labels must lie in 0..{n_labels - 1}, found {label.min()}..{label.max()}")
    return Columns(clip, label, onset, offset)


def _array(column: Tensor, kind: type) -> np.ndarray:
    return column.cpu().numpy().astype(kind, copy=False)


def ranges(start: Int[np.ndarray, " row"], stop: Int[np.ndarray, " row"]) -> tuple[Index, Index]:
    """All `(row, i)` with `start[row] <= i < stop[row]`, as two flat arrays ordered by row, then i."""
    count = np.maximum(stop - start, 0)
    row = np.repeat(np.arange(count.size), count)
    before = np.cumsum(count) - count
    return row, np.arange(row.size) + np.repeat(start - before, count)


def near(
    key_a: Int[np.ndarray, " a"],
    time_a: Float[np.ndarray, " a"],
    key_b: Int[np.ndarray, " b"],
    time_b: Float[np.ndarray, " b"],
    reach: float,
) -> tuple[Index, Index]:
    """Pairs `(a, b)` of equal key whose times lie about `reach` seconds apart or less, ordered by a, then b.

    Farther pairs of equal key may be among them: the caller compares the times. Cost: sorting, and a few pairs an event
    more than are near, however many share a key.
    """
    if not key_a.size or not key_b.size:
        none = np.zeros(0, dtype=np.int64)
        return none, none
    rank_a, rank_b = _ranks(key_a, key_b)
    size = np.bincount(rank_b, minlength=int(rank_a.max()) + 1)
    of_key = size[rank_a]
    if of_key.sum() > FEW * (key_a.size + key_b.size):
        return _near_in_time(rank_a, time_a, rank_b, time_b, reach)
    # numpy sorts 16-bit integers by radix: no comparison, one pass.
    order = np.argsort(rank_b.astype(np.uint16) if size.size <= 2**16 else rank_b, kind="stable")
    low = (np.cumsum(size) - size)[rank_a]
    a, position = ranges(low, low + of_key)
    return a, order[position]


FEW = 8
"""Pairs of equal key an event up to which comparing all of them costs less than looking for the near ones."""


def _ranks(
    key_a: Int[np.ndarray, " a"], key_b: Int[np.ndarray, " b"]
) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"]]:
    """Numbers from 0 that are equal where the keys are and keep their order: small enough to index a table."""
    low, high = min(key_a.min(), key_b.min()), max(key_a.max(), key_b.max())
    if high - low < 8 * (key_a.size + key_b.size):
        return key_a - low, key_b - low
    rank = np.unique(np.concatenate([key_a, key_b]), return_inverse=True)[1]
    return rank[: key_a.size], rank[key_a.size :]


def _near_in_time(
    rank_a: Int[np.ndarray, " a"],
    time_a: Float[np.ndarray, " a"],
    rank_b: Int[np.ndarray, " b"],
    time_b: Float[np.ndarray, " b"],
    reach: float,
) -> tuple[Index, Index]:
    """`near` for crowded keys: only pairs near in time are formed."""
    times, rank = np.concatenate([time_a, time_b]), np.concatenate([rank_a, rank_b])
    # All groups on one time line, far enough apart that no window reaches the next group.
    line = times - times.min() + rank * (np.ptp(times) + 2 * reach + 1)
    line_a, line_b = line[: rank_a.size], line[rank_a.size :]
    order = np.argsort(line_b, kind="stable")
    reach += 4 * np.spacing(line.max() + reach)  # the line rounds times more coarsely than the caller compares them
    low = np.searchsorted(line_b[order], line_a - reach, side="left")
    high = np.searchsorted(line_b[order], line_a + reach, side="right")
    a, position = ranges(low, high)
    b = order[position]
    same = rank_a[a] == rank_b[b]
    a, b = a[same], b[same]
    pair = np.lexsort((b, a))
    return a[pair], b[pair]
