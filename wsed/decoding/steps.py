"""The steps of decoding as functions of tensors; no step loops over frames.

The mask `valid [clip frame]` marks the frames that hold signal, which come first in each clip, before padding. With it,
the result for a clip does not depend on its padding.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import WsedError
from wsed.types import Events

Scores = Float[Tensor, "clip frame label"]
Active = Bool[Tensor, "clip frame label"]
Valid = Bool[Tensor, "clip frame"]
PerLabel = float | Sequence[float] | Float[Tensor, " label"]

CELLS = 1 << 23
"""Number of scores computed at a time in steps that copy each score several times (32 MiB in float32)."""

ROUNDING = 1e-9
"""Rounding error allowed in sums and differences of times, in seconds; far below the duration of a sample."""


def rescale(scores: Scores, edge: int = 3, valid: Valid | None = None) -> Scores:
    """Scale each curve to [0, 1] by its minimum m and maximum M: `(p - m) / (M - m)` (Pellegrini & Cances 2019).

    m and M are taken over the frames that are `edge` or more frames from either end, as in the authors' code, or over
    all frames of short clips. The first and last values may therefore be outside [0, 1]. Constant curves and padding
    become 0.

    >>> rescale(torch.tensor([[[0.25], [0.5], [0.75]]]), edge=0).flatten().tolist()
    [0.0, 0.5, 1.0]
    """
    scores = _exact(scores)
    known = _all_valid(scores) if valid is None else valid
    frame, n = _frames(scores), known.sum(1, keepdim=True)
    core = known & (frame >= edge) & (frame < n - edge)
    core = torch.where(core.any(1, keepdim=True), core, known)[..., None]
    low = scores.masked_fill(~core, torch.inf).amin(1, keepdim=True)
    high = scores.masked_fill(~core, -torch.inf).amax(1, keepdim=True)
    varies = (high > low) & known[..., None]
    return torch.where(varies, (scores - low) / torch.where(high > low, high - low, 1.0), 0.0)


def moving_average(scores: Scores, window: int, valid: Valid | None = None) -> Scores:
    """Centred mean over `window` frames (odd), as in the code of Pellegrini & Cances 2019.

    At its ends a curve is extended by its point reflection (`2 x[0] - x[k]`, k = 0, 1, ...), so that slopes continue.
    Values near the ends may therefore be outside [0, 1].

    >>> moving_average(torch.tensor([[[0.0], [0.75], [0.0], [0.0]]]), window=3).flatten().tolist()
    [0.25, 0.25, 0.25, 0.0]
    """
    half = _half(window)
    scores = _exact(scores)
    longer = _extend(scores, half, valid, point=True)
    return torch.nn.functional.avg_pool1d(longer.transpose(1, 2), window, stride=1).transpose(1, 2)


def median_filter(scores: Scores, window: int | Sequence[int], valid: Valid | None = None) -> Scores:
    """Running median over `window` frames (odd); one window for all labels, or one per label.

    At its ends a curve is mirrored with the edge value repeated (`c b a | a b c | c b a`): mode "reflect" of
    `scipy.ndimage.median_filter`, which is its default and that of the DESED baselines.

    >>> median_filter(torch.tensor([[[0.0], [0.75], [0.0], [0.0]]]), window=3).flatten().tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    scores = _exact(scores)
    n_labels = scores.shape[2]
    windows = [window] * n_labels if isinstance(window, int) else list(window)
    if len(windows) != n_labels:
        raise WsedError(f"{len(windows)} median windows for {n_labels} labels")
    result = torch.empty_like(scores)
    for size in set(windows):
        labels = torch.tensor([i for i, w in enumerate(windows) if w == size], device=scores.device)
        longer = _extend(scores[..., labels], _half(size), valid, point=False)
        # Computed in blocks, since the windows copy each score as many times as a window has frames.
        n_frames = max(1, min(scores.shape[1], CELLS // (size * max(len(labels), 1))))
        n_clips = max(1, CELLS // (size * max(len(labels), 1) * n_frames))
        for clip in range(0, scores.shape[0], n_clips):
            for frame in range(0, scores.shape[1], n_frames):
                block = longer[clip : clip + n_clips, frame : frame + n_frames + size - 1]
                medians = block.unfold(1, size, 1).median(-1).values
                result[clip : clip + n_clips, frame : frame + n_frames, labels] = medians
    return result


def threshold(scores: Scores, value: PerLabel) -> Active:
    """The frames with a score above `value` (strictly); one value for all labels, or one per label.

    >>> threshold(torch.tensor([[[0.25], [0.75]]]), 0.5).flatten().tolist()
    [False, True]
    """
    scores = _exact(scores)
    return scores > _per_label(value, scores)


def hysteresis(scores: Scores, low: PerLabel, high: PerLabel) -> Active:
    """Active frames with two thresholds; one of each for all labels, or one per label.

    A class becomes active when its score is above `high`, and inactive when it is at or below `low`. In between, it
    stays as in the frame before. It is inactive at first.

    >>> hysteresis(torch.tensor([[[0.4], [0.8], [0.4], [0.1]]]), low=0.2, high=0.5).flatten().tolist()
    [False, True, True, False]
    """
    scores = _exact(scores)
    below, above = _per_label(low, scores), _per_label(high, scores)
    if bool((below > above).any()):
        raise WsedError(f"hysteresis needs low <= high, got low {low} and high {high}")
    on = scores > above
    # The state of a frame is that of the last frame above `high` or at most `low`: carry the index of that frame on.
    frame = torch.arange(scores.shape[1], device=scores.device)[None, :, None]
    decided = torch.where(on | (scores <= below), frame, -1)
    last = decided.cummax(1).values if scores.shape[1] else decided
    return on.gather(1, last.clamp(min=0)) & (last >= 0)


def tag_filter(scores: Scores | Active, tags: Bool[Tensor, "clip label"]) -> Scores | Active:
    """Scores or activity of the classes in `tags`; 0 or False for other classes.

    >>> tag_filter(torch.ones(1, 1, 2), torch.tensor([[True, False]])).flatten().tolist()
    [1.0, 0.0]
    """
    return torch.where(tags[:, None, :], scores, torch.zeros_like(scores))


class Runs(NamedTuple):
    """Runs of active frames `first <= frame < stop`, sorted by clip, label and frame.

    >>> runs = Runs.of(torch.tensor([[[False], [True], [True]]]))
    >>> runs.sums(torch.full((1, 3, 1), 0.5)).tolist(), runs.to_events(frame_rate=2.0).offset.tolist()
    ([1.0], [1.5])
    """

    clip: Int[Tensor, " run"]
    label: Int[Tensor, " run"]
    first: Int[Tensor, " run"]
    stop: Int[Tensor, " run"]

    @staticmethod
    def of(active: Active) -> "Runs":
        curve = torch.nn.functional.pad(active.transpose(1, 2), (1, 1)).to(torch.int8)
        step = curve.diff(dim=2)
        # Both lists are sorted by clip, label and frame, so the i-th start belongs to the i-th end.
        clip, label, first = (step > 0).nonzero(as_tuple=True)
        return Runs(clip, label, first, (step < 0).nonzero(as_tuple=True)[2])

    def sums(self, scores: Scores) -> Float[Tensor, " run"]:
        """The sum of the scores of each run, float64, on the CPU."""
        length = self.stop - self.first
        upto = length.cumsum(0)
        total = torch.zeros(len(length), dtype=torch.float64, device=length.device)
        start = 0
        while start < len(length):  # some runs at a time
            before = int(upto[start - 1]) if start else 0
            stop = max(int(torch.searchsorted(upto, before + CELLS // 8, right=True)), start + 1)
            part = slice(start, stop)
            run = torch.arange(stop - start, device=length.device).repeat_interleave(length[part])
            offset = upto[part] - before - length[part] - self.first[part]
            frame = torch.arange(len(run), device=length.device) - offset[run]
            values = scores[self.clip[part][run], frame, self.label[part][run]].double()
            total[part] = total[part].index_add_(0, run, values)
            start = stop
        return total.cpu()

    def to_events(self, frame_rate: float) -> Events:
        """The runs in seconds, on the CPU."""
        onset, offset = (frames.cpu().double() / frame_rate for frames in (self.first, self.stop))
        return events_of(self.clip.cpu(), self.label.cpu(), onset, offset)


def to_events(active: Active, frame_rate: float, durations: Float[Tensor, " clip"] | None = None) -> Events:
    """Runs of active frames as events in seconds, sorted by clip, label and onset, on the CPU.

    Args:
        active: active frames; frame `i` covers `[i, i + 1) / frame_rate` seconds.
        frame_rate: frames per second.
        durations: seconds of each clip. Events are cut at the end of their clip.

    Raises:
        WsedError: `frame_rate` is not positive.

    >>> active = torch.tensor([False, True, True, False])[None, :, None]
    >>> to_events(active, frame_rate=2.0).offset.tolist()
    [1.5]
    """
    if not frame_rate > 0:
        raise WsedError(f"frame_rate must be positive, not {frame_rate}")
    events = Runs.of(active).to_events(frame_rate)
    return events if durations is None else cut(events, durations)[0]


def cut(events: Events, durations: Float[Tensor, " clip"]) -> tuple[Events, Bool[Tensor, " event"]]:
    """Cut events at the end of their clip and drop events that start there or later.

    Returns:
        the events, and a mask of the original events that are kept.

    >>> cut(Events.of([(0, 0, 1.0, 3.0), (0, 0, 2.5, 3.0)]), torch.tensor([2.0]))[0].offset.tolist()
    [2.0]
    """
    seconds = durations.detach().cpu().double()
    end = seconds if len(seconds) == 1 else seconds[events.clip]
    inside = events.onset < end
    events = replace(events, offset=torch.minimum(events.offset, end))
    return events if bool(inside.all()) else events[inside], inside


def merge_gaps(events: Events, gap: PerLabel) -> Events:
    """Join events of one clip and label that are less than `gap` seconds apart; the result is sorted.

    A list has one gap per label. Events exactly `gap` apart, up to rounding (1 ns), are not joined. Overlapping events
    always are. A joined event has the gain of its first event.

    >>> two = Events.of([(0, 0, 1.0, 2.0), (0, 0, 2.1, 3.0)])
    >>> merge_gaps(two, 0.2).offset.tolist()
    [3.0]
    """
    return merged(events, gap)[0]


def merged(events: Events, gap: PerLabel) -> tuple[Events, Int[Tensor, " event"]]:
    """The result of `merge_gaps`, and for each original event the index of the joined event that contains it.

    >>> merged(Events.of([(0, 0, 1.0, 2.0), (0, 0, 2.1, 3.0)]), 0.2)[1]
    tensor([0, 0])
    """
    if not len(events):
        return events, events.clip
    order = _sort(events.onset, _groups(events))
    events = events[order]
    group = _groups(events)
    reach = _latest_so_far(events.offset, group)
    least = torch.as_tensor(gap, dtype=torch.float64, device=group.device).sub(ROUNDING).clamp(min=0.0)
    apart = events.onset[1:] - reach[:-1] >= (least[events.label[1:]] if least.ndim else least)
    edge = torch.ones(1, dtype=torch.bool, device=group.device)
    first = torch.cat([edge, apart | (group[1:] != group[:-1])])
    last = torch.cat([first[1:], edge])
    whole = torch.empty_like(order)
    whole[order] = first.long().cumsum(0) - 1
    return replace(events[first], offset=reach[last]), whole


def min_duration(events: Events, seconds: float) -> Events:
    """The events that last at least `seconds`, with a tolerance of 1 ns.

    >>> len(min_duration(Events.of([(0, 0, 1.0, 1.1)]), 0.2))
    0
    """
    return events[lasts(events, seconds)]


def lasts(events: Events, seconds: float) -> Bool[Tensor, " event"]:
    """Mask of the events that last at least `seconds`, with a tolerance of 1 ns.

    >>> lasts(Events.of([(0, 0, 1.0, 1.1)]), 0.1)
    tensor([True])
    """
    return events.offset - events.onset >= seconds - ROUNDING


def events_of(
    clip: Int[Tensor, " event"],
    label: Int[Tensor, " event"],
    onset: Float[Tensor, " event"],
    offset: Float[Tensor, " event"],
) -> Events:
    """Detected events, which have gain 1; the gains take no memory.

    >>> events_of(torch.tensor([0]), torch.tensor([0]), torch.tensor([1.0]), torch.tensor([2.0])).gain
    tensor([1.])
    """
    one, zero = onset.new_ones(1), label.new_zeros(1)
    return Events(clip, label, onset, offset, one.expand(len(onset)), zero.expand(len(label)))


def _exact(scores: Tensor) -> Tensor:
    """The scores detached, at least in float32: bfloat16 is too imprecise for comparisons with a threshold."""
    scores = scores.detach()
    return scores if scores.dtype == torch.float64 else scores.float()


def _all_valid(scores: Scores) -> Valid:
    return torch.ones(scores.shape[:2], dtype=torch.bool, device=scores.device)


def _frames(scores: Scores) -> Int[Tensor, "one frame"]:
    return torch.arange(scores.shape[1], device=scores.device)[None]


def _half(window: int) -> int:
    if window < 1 or window % 2 == 0:
        raise WsedError(f"a window must have an odd number of frames, not {window}")
    return window // 2


def _extend(scores: Scores, half: int, valid: Valid | None, *, point: bool) -> Float[Tensor, "clip longer label"]:
    """Extend each clip by `half` frames at either end, mirrored in time and, with `point`, about the edge value."""
    n = (_all_valid(scores) if valid is None else valid).sum(1).clamp(min=1)[:, None]
    position = torch.arange(-half, scores.shape[1] + half, device=scores.device)[None]
    # The mirrored curve has period 2n, also if a clip is shorter than half a window.
    phase = position % (2 * n)
    source = torch.where(phase < n, phase, 2 * n - 1 - phase)
    longer = _take(scores, source)
    if not point:
        return longer
    left, right = scores[:, :1], _take(scores, n - 1)
    before, after = (position < 0)[..., None], (position >= n)[..., None]
    return torch.where(before, 2 * left - longer, torch.where(after, 2 * right - longer, longer))


def _take(scores: Scores, frame: Int[Tensor, "clip taken"]) -> Float[Tensor, "clip taken label"]:
    return scores.gather(1, frame[..., None].expand(-1, -1, scores.shape[2]))


def _per_label(value: PerLabel, scores: Scores) -> Tensor:
    tensor = torch.as_tensor(value, dtype=scores.dtype, device=scores.device)
    if tensor.ndim and tensor.shape != scores.shape[2:]:
        raise WsedError(f"{tuple(tensor.shape)} thresholds for {scores.shape[2]} labels")
    return tensor


def _groups(events: Events) -> Int[Tensor, " event"]:
    """One number per (clip, label), in that order."""
    return events.clip * (int(events.label.max()) + 1) + events.label


def _sort(value: Float[Tensor, " event"], group: Int[Tensor, " event"]) -> Int[Tensor, " event"]:
    """Indices that sort by group, then value."""
    by_value = value.argsort(stable=True)
    return by_value[group[by_value].argsort(stable=True)]


def _latest_so_far(offset: Float[Tensor, " event"], group: Int[Tensor, " event"]) -> Float[Tensor, " event"]:
    """The largest offset up to each event of its (sorted) group, by a running maximum of ranks, which is exact."""
    order = _sort(offset, group)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    return offset[order[rank.cummax(0).values]]
