"""Scores and labels of segments, so that `exact_thresholds` is exact for segment-based F1."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.types import Events
from wsed.values import Scores


def segment_scores(
    scores: Scores, length: float = 1.0
) -> tuple[Float[Tensor, "clip segment label"], Bool[Tensor, "clip segment"]]:
    """Score of each segment (the highest score of the frames that touch it), and the segments that count.

    The score of a segment is above a threshold if and only if an event decoded at that threshold is active in the
    segment, as `segment_counts` defines it. Segments without frames score -inf. Segments that start at or after the end
    of their clip do not count.

    Args:
        scores: the frame scores that are compared with the threshold (`Decoder.curves`).
        length: seconds of a segment.

    >>> table, counted = segment_scores(Scores.of_padded(torch.tensor([[[0.1], [0.9], [0.3]]]), frame_rate=2.0))
    >>> table.flatten().tolist(), counted.tolist()
    ([0.8999999761581421, 0.30000001192092896], [[True, True]])
    """
    frames, valid = scores.padded()
    table, frame_rate = frames.detach().double().cpu(), scores.frame_rate
    n_clips, n_frames, n_labels = table.shape
    frame = torch.arange(n_frames, dtype=torch.float64)
    ends = scores.durations
    known = valid.cpu() & (frame / frame_rate < ends[:, None])
    table = table.masked_fill(~known[..., None], -torch.inf)
    # The same rounding as in `segment_counts` for events that start and end at these frames.
    first = (frame / frame_rate / length).floor().long()
    stop = ((frame + 1) / frame_rate / length).ceil().long()
    n_segments = (ends / length).ceil().long()
    width = max(int(n_segments.max()) if n_clips else 0, int(stop[-1]) if n_frames else 0)
    highest = torch.full((n_clips, width, n_labels), -torch.inf, dtype=torch.float64)
    for shift in range(int((stop - first).max()) if n_frames else 0):
        touched = torch.minimum(first + shift, stop - 1)[None, :, None].expand_as(table)
        highest.scatter_reduce_(1, touched, table, "amax")
    return highest, torch.arange(width) < n_segments[:, None]


def segment_labels(
    events: Events, n_clips: int, n_labels: int, n_segments: int, length: float = 1.0
) -> Bool[Tensor, "clip segment label"]:
    """The segments in which a class is active, as in `segment_counts`.

    >>> segment_labels(Events.of([(0, 0, 0.5, 2.0)]), n_clips=1, n_labels=1, n_segments=3).flatten().tolist()
    [True, True, False]
    """
    first, stop = (events.onset.double() / length).floor(), (events.offset.double() / length).ceil()
    first, stop = first.long().clamp(min=0), stop.long().clamp(max=n_segments)
    count = (stop - first).clamp(min=0)
    event = torch.repeat_interleave(torch.arange(len(count)), count)
    place = torch.arange(len(event)) + (first - (count.cumsum(0) - count))[event]
    table = torch.zeros(n_clips, n_segments, n_labels, dtype=torch.bool)
    table[events.clip[event], place, events.label[event]] = True
    return table
