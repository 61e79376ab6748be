"""Index arithmetic shared by the metrics: long-form events as arrays, and pairs of them that lie near one another."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

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
        return Columns(*(column[keep] for column in self))


def columns(events: Events, n_labels: int) -> Columns:
    """The arrays behind `events`.

    Raises:
        WsedError: a label is not in 0..`n_labels`-1.
    """
    clip, label = (getattr(events, name).cpu().numpy().astype(np.int64) for name in ("clip", "label"))
    onset, offset = (getattr(events, name).cpu().numpy().astype(np.float64) for name in ("onset", "offset"))
    if label.size and not 0 <= label.min() <= label.max() < n_labels:
        raise WsedError(f"event labels must lie in 0..{n_labels - 1}, found {label.min()}..{label.max()}")
    return Columns(clip, label, onset, offset)


def ranges(start: Int[np.ndarray, " row"], stop: Int[np.ndarray, " row"]) -> tuple[Index, Index]:
    """All `(row, i)` with `start[row] <= i < stop[row]`, as two flat arrays ordered by row, then i."""
    count = np.maximum(stop - start, 0)
    row = np.repeat(np.arange(count.size), count)
    before = np.cumsum(count) - count
    return row, np.arange(row.size) - before[row] + start[row]


def near(
    key_a: Int[np.ndarray, " a"],
    time_a: Float[np.ndarray, " a"],
    key_b: Int[np.ndarray, " b"],
    time_b: Float[np.ndarray, " b"],
    reach: float,
) -> tuple[Index, Index]:
    """Pairs `(a, b)` of equal key whose times lie about `reach` seconds apart or less; a few more may be among them.

    Cost: sorting and the pairs found, not all pairs. The caller makes the exact comparison.
    """
    if not key_a.size or not key_b.size:
        none = np.zeros(0, dtype=np.int64)
        return none, none
    rank = np.unique(np.concatenate([key_a, key_b]), return_inverse=True)[1]
    times = np.concatenate([time_a, time_b])
    # All groups on one time line, far enough apart that no window reaches the next group.
    line = times - times.min() + rank * (np.ptp(times) + 2 * reach + 1)
    line_a, line_b = line[: key_a.size], line[key_a.size :]
    order = np.argsort(line_b, kind="stable")
    reach += 4 * np.spacing(line.max() + reach)  # the line rounds times more coarsely than the caller compares them
    low = np.searchsorted(line_b[order], line_a - reach, side="left")
    high = np.searchsorted(line_b[order], line_a + reach, side="right")
    a, position = ranges(low, high)
    return a, order[position]
