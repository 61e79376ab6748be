"""Index arithmetic for metrics: events as arrays, and pairs of events that are close in time."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import WsedError
from wsed.types import Events

Index = Int[np.ndarray, " pair"]


class Columns(NamedTuple):
    """Events as int64 and float64 arrays, in their original order."""

    clip: Int[np.ndarray, " event"]
    label: Int[np.ndarray, " event"]
    onset: Float[np.ndarray, " event"]
    offset: Float[np.ndarray, " event"]

    def take(self, keep: Bool[np.ndarray, " event"] | Int[np.ndarray, " event"]) -> "Columns":
        """The events selected by a mask or an index."""
        # An index, so that a mask is read once for all columns.
        index = np.flatnonzero(keep) if keep.dtype == np.bool_ else keep
        return Columns(*(column[index] for column in self))


def columns(events: Events, n_labels: int) -> Columns:
    """Events as arrays. Arrays may share memory with `events`, so do not write to them.

    Raises:
        WsedError: a label is not in 0..`n_labels`-1.

    >>> columns(Events.of([(0, 1, 0.5, 2.0)]), n_labels=2).onset
    array([0.5])
    """
    clip, label = (_array(column, np.int64) for column in (events.clip, events.label))
    onset, offset = (_array(column, np.float64) for column in (events.onset, events.offset))
    if label.size and not 0 <= label.min() <= label.max() < n_labels:
        raise WsedError(f"event labels must lie in 0..{n_labels - 1}, not in {label.min()}..{label.max()}")
    return Columns(clip, label, onset, offset)


def _array(column: Tensor, kind: type) -> np.ndarray:
    return column.cpu().numpy().astype(kind, copy=False)


def ranges(start: Int[np.ndarray, " row"], stop: Int[np.ndarray, " row"]) -> tuple[Index, Index]:
    """All pairs `(row, i)` with `start[row] <= i < stop[row]`, as two arrays ordered by row, then i.

    >>> ranges(np.array([0, 5]), np.array([2, 6]))
    (array([0, 0, 1]), array([0, 1, 5]))
    """
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
    """Pairs `(a, b)` with equal keys whose times may be within `reach` seconds, ordered by a, then b.

    All pairs within `reach` are returned. Some pairs farther apart may be returned too, so the caller must compare the
    times. The cost is that of sorting, plus the pairs returned: a few per event, even if many events share a key.

    >>> a, b = near(np.array([0, 1]), np.array([1.0, 1.0]), np.array([0]), np.array([1.1]), reach=0.2)
    >>> a.tolist(), b.tolist()
    ([0], [0])
    """
    if not key_a.size or not key_b.size:
        none = np.zeros(0, dtype=np.int64)
        return none, none
    rank_a, rank_b = _ranks(key_a, key_b)
    size = np.bincount(rank_b, minlength=int(rank_a.max()) + 1)
    of_key = size[rank_a]
    if of_key.sum() > FEW * (key_a.size + key_b.size):
        return _near_in_time(rank_a, time_a, rank_b, time_b, reach)
    # numpy sorts 16-bit integers by radix sort, which is faster.
    order = np.argsort(rank_b.astype(np.uint16) if size.size <= 2**16 else rank_b, kind="stable")
    low = (np.cumsum(size) - size)[rank_a]
    a, position = ranges(low, low + of_key)
    return a, order[position]


FEW = 8
"""Up to this many pairs with equal keys per event, comparing all pairs is faster than a search in time."""


def _ranks(
    key_a: Int[np.ndarray, " a"], key_b: Int[np.ndarray, " b"]
) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"]]:
    """Map keys to numbers from 0 that keep their order and are small enough to index an array."""
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
    """`near` for keys that many events share: only pairs that are close in time are formed."""
    times, rank = np.concatenate([time_a, time_b]), np.concatenate([rank_a, rank_b])
    # All keys are put on one time axis, so far apart that `reach` does not extend to the next key.
    line = times - times.min() + rank * (np.ptp(times) + 2 * reach + 1)
    line_a, line_b = line[: rank_a.size], line[rank_a.size :]
    order = np.argsort(line_b, kind="stable")
    # Times on this axis are rounded more coarsely than those that the caller compares.
    reach += 4 * np.spacing(line.max() + reach)
    low = np.searchsorted(line_b[order], line_a - reach, side="left")
    high = np.searchsorted(line_b[order], line_a + reach, side="right")
    a, position = ranges(low, high)
    b = order[position]
    same = rank_a[a] == rank_b[b]
    a, b = a[same], b[same]
    pair = np.lexsort((b, a))
    return a[pair], b[pair]
