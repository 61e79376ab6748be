"""Events at many thresholds at once; the work grows with the number of events, not with thresholds times frames.

The events of all thresholds are in one `Events`: clip `c` at threshold `i` has the clip index `i * n_clips + c`.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from wsed.decoding.base import check_regular_frames, rising
from wsed.decoding.steps import cut, events_of
from wsed.types import Events
from wsed.values import Scores

Crossing = Int[np.ndarray, " crossing"]


def decode_at(curves: Scores, thresholds: Sequence[float], tags: Bool[Tensor, "clip label"] | None = None) -> Events:
    """The events `to_events(threshold(curves, t))` for each threshold `t`.

    Between two frames, a curve crosses the thresholds that lie between their scores; these crossings are the borders
    of all events.

    Args:
        curves: the frame scores that are compared with the threshold (`Decoder.curves`).
        thresholds: rising; frames with a score above (strictly) are active.
        tags: classes that may be active in a clip; all if None.

    Returns:
        Events on the CPU, sorted by threshold, clip, label and onset; clip `c` at threshold `i` is clip
        `i * n_clips + c`. Events end at the end of their clip at the latest.

    Raises:
        WsedError: the thresholds do not rise, or there are no frames.

    >>> curve = torch.tensor([0.1, 0.9, 0.7, 0.2])[None, :, None]
    >>> decode_at(Scores.of_padded(curve, frame_rate=1.0), [0.5, 0.8]).offset.tolist()
    [3.0, 2.0]
    """
    check_regular_frames(curves)
    table, valid = curves.padded()
    n_clips, n_frames, n_labels = table.shape
    scores = table.detach().to(torch.float64 if table.dtype == torch.float64 else torch.float32)
    level = torch.searchsorted(rising(thresholds, scores), scores.transpose(1, 2).contiguous(), out_int32=True)
    if not curves.is_full:
        level = level * valid[:, None, :]
    if tags is not None:
        level = level * tags.to(level.device)[..., None]
    # Number of thresholds below each frame's score, 0 at either end; a step of k crosses k thresholds.
    ranks = torch.nn.functional.pad(level, (1, 1)).cpu().numpy().reshape(n_clips * n_labels, n_frames + 2)
    step = np.diff(ranks, axis=1)
    at, curve, first = _crossings(ranks[:, :-1], step)
    _, _, stop = _crossings(ranks[:, 1:], -step)
    clip, label = np.divmod(curve, max(n_labels, 1))
    onset, offset = (torch.from_numpy(border / curves.frame_rate) for border in (first, stop))
    every = events_of(torch.from_numpy(at * n_clips + clip), torch.from_numpy(label), onset, offset)
    return cut(every, curves.durations.repeat(len(thresholds)))[0]


def _crossings(
    level: Int[np.ndarray, "curve border"], step: Int[np.ndarray, "curve border"]
) -> tuple[Crossing, Crossing, Crossing]:
    """Threshold, curve and border of each upward crossing, sorted in that order.

    At a border where the level rises by k from `level`, the curve crosses the thresholds `level`, ..., `level + k - 1`.
    """
    curve, border = np.nonzero(step > 0)
    n = step[curve, border]
    each = np.repeat(np.arange(n.size), n)
    at = level[curve, border][each] + np.arange(each.size) - (np.cumsum(n) - n)[each]
    # numpy sorts 16-bit integers by radix sort, which is faster.
    small = at.astype(np.int16) if at.size == 0 or at.max() < 2**15 else at
    order = np.argsort(small, kind="stable")
    return at[order], curve[each[order]], border[each[order]]
