"""Events of one clip and label that overlap, made one: what scores that add up shared seconds take for granted."""

import numpy as np
import torch
from jaxtyping import Bool, Int

from wsed.types import Events


def overlapping(events: Events) -> Bool[np.ndarray, " event"]:
    """Which events start while another of their clip and label lasts that starts earlier, or together with them."""
    order, inside = _chains(events)
    mask = np.zeros(order.size, dtype=np.bool_)
    mask[order] = inside
    return mask


def joined(events: Events, touching: bool = False) -> Events:
    """Events of one clip and label that overlap merged into one, as loud as the loudest of them.

    Events that only touch (an offset equal to the next onset) stay two, unless `touching` ones are to be merged too.

    Returns:
        Events sorted by clip, label and onset, on the CPU; the very same object if no two overlap.
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
    """The order by clip, label, onset and offset, and, in it, which events overlap one before them."""
    clip, label, onset, offset = (c.cpu().numpy() for c in (events.clip, events.label, events.onset, events.offset))
    order = np.lexsort((offset, onset, label, clip))
    new = (np.diff(clip[order]) != 0) | (np.diff(label[order]) != 0)
    # Whole numbers in place of seconds put all groups on one line without rounding: touching events must stay so.
    times, rank = np.unique(np.concatenate([onset[order], offset[order]]), return_inverse=True)
    base = np.append(0, np.cumsum(new))[: order.size] * times.size
    start, stop = base + rank[: order.size], base + rank[order.size :]
    inside = np.zeros(order.size, dtype=np.bool_)
    reach = np.maximum.accumulate(stop)[:-1]
    inside[1:] = ((start[1:] <= reach) & ~new) if touching else start[1:] < reach
    return order, inside
