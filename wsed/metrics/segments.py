"""Segment-based counts: each clip is cut into segments, and the active classes of each segment are compared.

Mesaros, Heittola, Virtanen: Metrics for polyphonic sound event detection, Applied Sciences 6(6):162, 2016, section 3.1.
The numbers are those of `sed_eval` 0.2.1, except the macro mean if a class is never detected: see `Counts`.
"""

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from wsed.errors import WsedError
from wsed.metrics.counts import Counts
from wsed.metrics.pairs import Columns, columns, ranges
from wsed.types import Events

RefCells = Int[np.ndarray, " ref_cell"]
EstCells = Int[np.ndarray, " est_cell"]


def segment_counts(
    reference: Events,
    estimated: Events,
    n_labels: int,
    *,
    length: float = 1.0,
    durations: Float[Tensor, " clip"] | None = None,
) -> Counts:
    """Count hits per class over segments of `length` seconds.

    Segment `s` is `[s * length, (s + 1) * length)`. A class is active in the segments from `floor(onset / length)` up
    to, but not including, `ceil(offset / length)` of each of its events. A hit is a segment in which the class is
    active in both `reference` and `estimated`. The last segment of a clip may end after the clip and counts in full.

    Args:
        reference: true events; clip indices mean the same clips in `estimated`.
        estimated: detected events.
        n_labels: size of the label axis.
        length: seconds of a segment.
        durations: seconds of each clip; segments that start at or after the end of their clip do not count. If None,
            each clip lasts until its last reference or detected event ends.

    Returns:
        Counts of segments. `n_sub` is the number of misses that are paired with a false alarm of the same segment.

    Raises:
        WsedError: `length` is not positive, a label is outside the label axis, or a clip has no duration.

    >>> reference, detected = Events.of([(0, 0, 0.5, 2.0)]), Events.of([(0, 0, 1.0, 3.0)])
    >>> counts = segment_counts(reference, detected, n_labels=1)
    >>> counts.tp.tolist(), counts.n_ref.tolist(), counts.n_sys.tolist()
    ([1], [2], [2])
    """
    check_length(length)
    sides = columns(reference, n_labels), columns(estimated, n_labels)
    ends = None if durations is None else np.ceil(durations.detach().cpu().double().numpy() / length).astype(np.int64)
    touched = [_touched(side, length, ends) for side in sides]
    n_segments = max([0, *(int(stop.max()) for _, stop in touched if stop.size)])
    clips = [int(end(side.clip)) for side in sides if side.clip.size for end in (np.min, np.max)] or [0]
    low, places = min(clips), (max(clips) - min(clips) + 1) * n_segments
    cells = []
    for side, (first, stop) in zip(sides, touched, strict=True):
        # Segments of a clip are adjacent, so the cells of an event are a range.
        start = side.label * places + (side.clip - low) * n_segments
        cells.append(ranges(start + first, start + stop)[1])
    active = sum(c.size for c in cells)
    count = _by_table if n_labels * places <= min(TABLE, FILLED * active) else _by_sorting
    return count(cells[0], cells[1], n_labels, places)


def check_length(length: float) -> float:
    """Return the length of segments; a `WsedError` if it is not above 0 s."""
    if not 0 < length < np.inf:
        raise WsedError(f"segments need a positive length, not {length} s")
    return length


TABLE = 2**25
"""Maximum number of cells of a table, one byte each; there are two tables."""

FILLED = 200
"""Up to this many cells per active cell, a table is faster than sorting the active cells."""


def _touched(
    events: Columns, length: float, ends: Int[np.ndarray, " clip"] | None
) -> tuple[Int[np.ndarray, " event"], Int[np.ndarray, " event"]]:
    """First segment of each event, and the segment after its last."""
    first = np.maximum(np.floor(events.onset / length).astype(np.int64), 0)
    stop = np.ceil(events.offset / length).astype(np.int64)
    if ends is not None:
        if events.clip.size and events.clip.max() >= ends.size:
            raise WsedError(f"clip {events.clip.max()} has events, but durations are given for {ends.size} clips only")
        stop = np.minimum(stop, ends[events.clip])
    return first, stop


def _by_table(ref: RefCells, est: EstCells, n_labels: int, places: int) -> Counts:
    """Counts from two tables of flags `[label, place]`, where a place is a segment of a clip."""
    flags = np.zeros((2, n_labels * places), dtype=np.bool_)
    flags[0, ref] = True
    flags[1, est] = True
    tables = flags.reshape(2, n_labels, places)
    # Rows are counted one by one, since count_nonzero along an axis is many times slower.
    n_ref, n_sys = (np.array([np.count_nonzero(row) for row in table], dtype=np.int64) for table in tables)
    tp = np.array([np.count_nonzero(a & b) for a, b in zip(*tables, strict=True)], dtype=np.int64)
    kind = np.min_scalar_type(n_labels)  # the smallest type is the fastest
    at_ref, at_est = (table.view(np.uint8).sum(0, dtype=kind) for table in tables)
    n_sub = int(np.minimum(at_ref, at_est).sum(dtype=np.int64) - tp.sum())
    return Counts(tp, n_ref, n_sys, n_sub)


def _by_sorting(ref: RefCells, est: EstCells, n_labels: int, places: int) -> Counts:
    """The same counts by sorting, for tables that would be large and nearly empty."""
    ref, est = np.unique(ref), np.unique(est)
    hits = np.intersect1d(ref, est, assume_unique=True)
    tp, n_ref, n_sys = (np.bincount(cells // max(places, 1), minlength=n_labels) for cells in (hits, ref, est))
    segments, where = np.unique(np.concatenate([ref, est]) % max(places, 1), return_inverse=True)
    at_ref = np.bincount(where[: ref.size], minlength=segments.size)
    at_est = np.bincount(where[ref.size :], minlength=segments.size)
    return Counts(tp, n_ref, n_sys, int(np.minimum(at_ref, at_est).sum()) - hits.size)
