"""Segment-based scores: each clip is cut into segments, and each segment is asked which classes sound in it.

Mesaros, Heittola, Virtanen: Metrics for polyphonic sound event detection, Applied Sciences 6(6):162, 2016, section 3.1.
The numbers are those of `sed_eval` 0.2.1.
"""

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from wsed.errors import WsedError
from wsed.metrics.counts import Counts
from wsed.metrics.pairs import Columns, columns, ranges
from wsed.types import Events

Cells = Int[np.ndarray, " cell"]


def segment_counts(
    reference: Events,
    estimated: Events,
    n_labels: int,
    *,
    length: float = 1.0,
    durations: Float[Tensor, " clip"] | None = None,
) -> Counts:
    """Hits per class over segments of `length` seconds.

    Segment `s` is `[s * length, (s + 1) * length)`; a class is active in every segment that one of its events touches:
    `floor(onset / length)` to `ceil(offset / length)`. The last segment of a clip may reach beyond its end and counts
    in full. A hit is a segment active on both sides.

    Args:
        reference: true events; clip indices mean the same clips in `estimated`.
        estimated: detected events.
        n_labels: size of the label axis.
        length: seconds of a segment.
        durations: seconds of every clip; segments that start at or after the end of their clip are not counted. None:
            each clip lasts until its last event ends, on either side.

    Returns:
        Counts of segments. `n_sub` pairs, inside each segment, misses with false alarms of other classes.

    Raises:
        WsedError: `length` is not positive, a label is outside the label axis, or a clip has no duration.
    """
    if not length > 0:
        raise WsedError(f"segments need a positive length, not {length} s")
    ref, est = columns(reference, n_labels), columns(estimated, n_labels)
    ends = None if durations is None else np.ceil(durations.detach().cpu().double().numpy() / length).astype(np.int64)
    last = max((int(np.ceil(c.offset.max() / length)) for c in (ref, est) if c.offset.size), default=0)
    ref_cells, est_cells = (_cells(c, n_labels, length, last + 1, ends) for c in (ref, est))
    hits = np.intersect1d(ref_cells, est_cells, assume_unique=True)
    return Counts(
        tp=np.bincount(hits % n_labels, minlength=n_labels),
        n_ref=np.bincount(ref_cells % n_labels, minlength=n_labels),
        n_sys=np.bincount(est_cells % n_labels, minlength=n_labels),
        n_sub=_substitutions(hits // n_labels, ref_cells // n_labels, est_cells // n_labels),
    )


def _cells(
    events: Columns, n_labels: int, length: float, n_segments: int, ends: Int[np.ndarray, " clip"] | None
) -> Cells:
    """The active (clip, segment, label) cells, each once, as one sorted number `(clip, segment) * n_labels + label`."""
    first = np.maximum(np.floor(events.onset / length).astype(np.int64), 0)
    stop = np.ceil(events.offset / length).astype(np.int64)
    if ends is not None:
        if events.clip.size and events.clip.max() >= ends.size:
            raise WsedError(f"clip {events.clip.max()} has events, but durations are given for {ends.size} clips only")
        stop = np.minimum(stop, ends[events.clip])
    event, segment = ranges(first, stop)
    cells: Cells = np.unique((events.clip[event] * n_segments + segment) * n_labels + events.label[event])
    return cells


def _substitutions(hits: Int[np.ndarray, " hit"], ref: Int[np.ndarray, " ref"], est: Int[np.ndarray, " est"]) -> int:
    """Sum over segments of `min(n_ref, n_sys) - tp`; each array names the segments of its cells."""
    segments, where = np.unique(np.concatenate([ref, est]), return_inverse=True)
    n_ref = np.bincount(where[: ref.size], minlength=segments.size)
    n_sys = np.bincount(where[ref.size :], minlength=segments.size)
    return int(np.minimum(n_ref, n_sys).sum()) - hits.size
