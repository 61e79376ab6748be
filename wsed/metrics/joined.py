"""Joins overlapping events of one clip and label. Metrics that add up shared seconds need events without overlaps."""

import numpy as np
import torch
from jaxtyping import Bool, Int

from wsed.types import Events


def overlapping(events: Events) -> Bool[np.ndarray, " event"]:
    """Mask of the events that overlap an earlier event of the same clip and label, sorted by onset, then by offset.

    >>> overlapping(Events.of([(0, 0, 0.0, 2.0), (0, 0, 1.0, 3.0)]))
    array([False,  True])
    """
    order, inside = _chains(events)
    mask = np.zeros(order.size, dtype=np.bool_)
    mask[order] = inside
    return mask


def joined(events: Events, touching: bool = False) -> Events:
    """Join overlapping events of one clip and label into one event with the largest of their gains.

    Args:
        events: the events.
        touching: also join events where one ends exactly when the next begins.

    Returns:
        Events sorted by clip, label and onset, on the CPU; the same object if there is nothing to join.

    >>> joined(Events.of([(0, 0, 0.0, 2.0), (0, 0, 1.0, 3.0)])).offset.tolist()
    [3.0]
    """
    order, inside = _chains(events, touching)
    if not inside.any():
        return events
    first = np.flatnonzero(~inside)
    index = torch.from_numpy(order[first])
    offset, gain = (np.maximum.reduceat(c.cpu().numpy()[order], first) for c in (events.offset, events.gain))
    clip, label, onset = (c.cpu()[index] for c in (events.clip, events.label, events.onset))
    return Events(clip, label, onset, torch.from_numpy(offset), torch.from_numpy(gain))


def _chains(events: Events, touching: bool = False) -> tuple[Int[np.ndarray, " event"], Bool[np.ndarray, " event"]]:
    """The order by clip, label, onset and offset, and a mask in that order of events that overlap an earlier one."""
    clip, label, onset, offset = (c.cpu().numpy() for c in (events.clip, events.label, events.onset, events.offset))
    order = np.lexsort((offset, onset, label, clip))
    new = (np.diff(clip[order]) != 0) | (np.diff(label[order]) != 0)
    # Ranks instead of seconds put all clips and labels on one axis without rounding: touching events still touch.
    times, rank = np.unique(np.concatenate([onset[order], offset[order]]), return_inverse=True)
    base = np.append(0, np.cumsum(new))[: order.size] * times.size
    start, stop = base + rank[: order.size], base + rank[order.size :]
    inside = np.zeros(order.size, dtype=np.bool_)
    reach = np.maximum.accumulate(stop)[:-1]
    inside[1:] = ((start[1:] <= reach) & ~new) if touching else start[1:] < reach
    return order, inside
