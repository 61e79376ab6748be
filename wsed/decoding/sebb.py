"""Sound event bounding boxes by change detection (cSEBBs): times and confidence of an event are predicted separately.

Ebbers, Germain, Wichern, Le Roux: Sound Event Bounding Boxes, Interspeech 2024 (arXiv 2406.04212). Two details of the
code are taken from results of the authors' package for small inputs, not from its source: boxes are merged only if both
thresholds allow it, and every local maximum of the filter output starts a box.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.decoding.base import (
    DECODERS,
    Decoder,
    PerLabel,
    Setting,
    TagSource,
    check_regular_frames,
    listed,
    rising,
)
from wsed.decoding.steps import cut, events_of
from wsed.errors import WsedError
from wsed.event_columns import frames_of
from wsed.types import Events
from wsed.values import Detections, Scores

Borders = Float[Tensor, "curve border"]
BoxIndex = Int[Tensor, " box"]

WINDOWS = (0.32, 0.48, 0.64)
MERGE_ABS = (0.15, 0.2, 0.3)
MERGE_REL = (1.5, 2.0, 3.0)
"""Values that a search for thresholds tries with each threshold."""


@DECODERS.register("sebb")
@dataclass(frozen=True)
class BoxDecoder(Decoder):
    """Decodes events as boxes that are found by change detection. A list has one value per label.

    The confidence of a box is the mean score inside it. Two neighbouring boxes are merged if the lowest score between
    them is close to the higher of their peaks, by both `merge_abs` and `merge_rel`.

    Args:
        window: seconds of the step filter, half before and half after each border (at least one frame each).
        merge_abs: boxes are merged only if the peak minus the lowest score is below this value.
        merge_rel: boxes are merged only if the peak divided by the lowest score is below this value.
        threshold: boxes with a confidence above it are events.
        tags: classes that may have events in a clip; see `Decoder`.
        tag_threshold: threshold of clip scores for `tags: clip`.

    Raises:
        WsedError: a window is not positive, a merging threshold is negative, or `tags` is unknown.

    >>> curve = torch.zeros(100)
    >>> curve[30:60] = 0.75
    >>> boxes = BoxDecoder().boxes(Scores.of_padded(curve[None, :, None], frame_rate=10.0))
    >>> boxes.events.onset.tolist(), boxes.events.offset.tolist(), boxes.confidence.tolist()
    ([3.0], [6.0], [0.75])
    """

    window: PerLabel = 0.5
    merge_abs: PerLabel = 0.1
    merge_rel: PerLabel = 2.0
    threshold: PerLabel = 0.5
    tags: TagSource = "none"
    tag_threshold: PerLabel = 0.5

    def __post_init__(self) -> None:
        if any(not value > 0 for value in listed(self.window)):
            raise WsedError(f"decoder.window must be more than 0 seconds, not {self.window}")
        for name, values in (("merge_abs", self.merge_abs), ("merge_rel", self.merge_rel)):
            if any(not value >= 0 for value in listed(values)):
                raise WsedError(f"decoder.{name} must be 0 or more, not {values}")

    def __call__(self, scores: Scores, tags: Bool[Tensor, "clip label"] | None = None) -> Detections:
        """The boxes above the threshold in the classes that the tags allow."""
        n_labels = scores.need_frames()[0].shape[-1]
        if len(several := listed(self.threshold)) not in (1, n_labels):
            raise WsedError(f"decoder.threshold has {len(several)} values for {n_labels} labels")
        boxes = self.boxes(scores).confident(self.threshold)
        allowed = self.allowed(scores, tags)
        return boxes if allowed is None else boxes[allowed.cpu()[boxes.events.clip, boxes.events.label]]

    @property
    def reach(self) -> float:
        """Half a window to place a border, half of one for the border next to it, and 5 seconds to join boxes."""
        return max(listed(self.window)) + 5.0

    def curves(self, scores: Scores) -> Scores:
        """The confidence of the box at each frame, 0 outside boxes; float32."""
        return box_curves(self.boxes(scores), scores)

    def ranked(self, scores: Scores, tags: Bool[Tensor, "clip label"] | None = None) -> Scores:
        """The confidence of the box at each frame, -inf outside boxes and where the tags allow no event."""
        curves = self.allowed_curves(scores, tags)
        frames, _ = curves.need_frames()
        return replace(curves, frames=frames.masked_fill(~(frames > 0), -math.inf))

    def at(self, scores: Scores, thresholds: Sequence[float], tags: Bool[Tensor, "clip label"] | None = None) -> Events:
        """The boxes above each threshold; the boxes are computed once."""
        boxes = self.boxes(scores)
        allowed = self.allowed(scores, tags)
        if allowed is not None:
            boxes = boxes[allowed.cpu()[boxes.events.clip, boxes.events.label]]
        return boxes_at(boxes, thresholds, len(scores))

    def candidates(
        self, frame_rate: float, medians: Sequence[float] | None = None, gaps: Sequence[float] | None = None
    ) -> list[Setting]:
        """Every combination of window and merging thresholds."""
        if medians is not None or gaps is not None or self.tags != "none":
            raise WsedError(
                "a box decoder is tuned without medians, gaps and tags: set evaluation.tuning.medians and "
                "evaluation.tuning.gaps to null, and evaluation.decoder.tags to none"
            )
        names = ("window", "merge_abs", "merge_rel")
        return [dict(zip(names, chosen, strict=True)) for chosen in product(WINDOWS, MERGE_ABS, MERGE_REL)]

    def boxes(self, scores: Scores) -> Detections:
        """All boxes of each clip at any confidence, on the CPU; boxes of one clip and label never touch.

        Args:
            scores: in [0, 1], not smoothed, since the step filter smooths. Boxes end at the end of their clip at the
                latest; boxes that start at or after it are dropped.

        Raises:
            WsedError: there are no frames, or a list does not have one value per label.
        """
        check_regular_frames(scores)
        table, valid = scores.padded()
        n_clips, n_frames, n_labels = table.shape
        window, merge_abs, merge_rel = (
            _per_label(values, n_labels, name)
            for values, name in (
                (self.window, "window"),
                (self.merge_abs, "merge_abs"),
                (self.merge_rel, "merge_rel"),
            )
        )
        half = (window * scores.frame_rate / 2).round().long().clamp(min=1)
        inside = torch.arange(n_frames + 1) <= valid.cpu().sum(1)[:, None]
        columns: tuple[list[Tensor], ...] = ([], [], [], [])
        for k in range(n_labels):  # one at a time: memory does not grow with their number
            curves = table[..., k].detach().double().cpu()
            sums = torch.nn.functional.pad(curves.cumsum(1), (1, 0))
            change = _step_filter(sums, half[k].expand(n_clips)) * inside
            limits = (limit[k].expand(n_clips) for limit in (merge_abs, merge_rel))
            spans = _merge(_between_changes(change, curves), *limits)
            index = (part.int() for part in (spans.curve, spans.first, spans.stop))  # a day has millions of boxes
            for column, part in zip(columns, (*index, spans.mean(sums)), strict=True):
                column.append(part)
        if not n_labels:
            return Detections(Events.of([]), torch.zeros(0, dtype=torch.float64))
        counts = torch.tensor([len(part) for part in columns[0]])
        label = torch.arange(n_labels).repeat_interleave(counts)
        clip, onset, offset, mean = map(_joined, columns)
        onset, offset = onset.double() / scores.frame_rate, offset.double() / scores.frame_rate
        events = events_of(clip.long(), label, onset, offset)
        del clip, label, onset, offset
        if n_clips > 1:
            order = events.clip.argsort(stable=True)  # by clip, then label, then onset
            events, mean = events[order], mean[order]
        events, kept = cut(events, scores.durations)
        return Detections(events, mean if len(events) == len(mean) else mean[kept])


def _joined(parts: list[Tensor]) -> Tensor:
    """One tensor of all parts, which are freed."""
    whole = torch.cat(parts)
    parts.clear()
    return whole


def boxes_at(boxes: Detections, thresholds: Sequence[float], n_clips: int) -> Events:
    """The boxes above each of several rising thresholds; clip `c` at threshold `i` is clip `i * n_clips + c`.

    >>> boxes = Detections(Events.of([(0, 0, 1.0, 2.0), (0, 0, 3.0, 4.0)]), torch.tensor([0.4, 0.8]).double())
    >>> boxes_at(boxes, [0.2, 0.6], n_clips=1).clip.tolist()
    [0, 0, 1]
    """
    n = torch.searchsorted(rising(thresholds, boxes.confidence), boxes.confidence)
    box = torch.repeat_interleave(torch.arange(len(n)), n)
    at = torch.arange(len(box)) - (n.cumsum(0) - n)[box]
    events = boxes.events[box]
    return replace(events, clip=events.clip + at * n_clips)


def box_curves(boxes: Detections, scores: Scores) -> Scores:
    """Boxes as frame scores, for metrics over all thresholds such as PSDS: the confidence inside boxes, 0 outside.

    At the frame rate of the decoding, the events above any threshold are those of `boxes.above`.

    Args:
        boxes: boxes of the clips of `scores`.
        scores: scores of the same clips, which give the frames.

    >>> boxes = Detections(Events.of([(0, 0, 1.0, 2.0)]), torch.tensor([0.5]).double())
    >>> box_curves(boxes, Scores.of_padded(torch.zeros(1, 3, 1), frame_rate=1.0)).need_frames()[0].flatten().tolist()
    [0.0, 0.5, 0.0]
    """
    frames, lengths = scores.need_frames()
    rate, events, lengths = scores.frame_rate, boxes.events, lengths.cpu()
    end = lengths[events.clip]
    first, stop = (border.long() for border in frames_of(events.onset, events.offset, end, rate))
    count = (torch.minimum(stop, end) - first).clamp(min=0)
    start = (lengths.cumsum(0) - lengths)[events.clip] + first
    table = torch.zeros(frames.shape, dtype=torch.float32)
    for label in range(frames.shape[1]):
        own = (events.label == label).nonzero()[:, 0]
        box = own.repeat_interleave(count[own])
        place = torch.arange(len(box)) - (count[own].cumsum(0) - count[own] - start[own]).repeat_interleave(count[own])
        table[:, label].scatter_reduce_(0, place, boxes.confidence[box].float().clamp(max=1), "amax")
    return replace(scores, frames=table)


class _Spans(NamedTuple):
    """Boxes as frames `first <= frame < stop` of a curve, sorted by curve and frame.

    `peak` is the highest score in the box; `low` and `high` are the lowest and highest score between it and the next
    box.
    """

    curve: BoxIndex
    first: BoxIndex
    stop: BoxIndex
    peak: Float[Tensor, " box"]
    low: Float[Tensor, " box"]
    high: Float[Tensor, " box"]

    def mean(self, sums: Borders) -> Float[Tensor, " box"]:
        return (sums[self.curve, self.stop] - sums[self.curve, self.first]) / (self.stop - self.first)


def _step_filter(sums: Borders, half: Int[Tensor, " curve"]) -> Borders:
    """Mean of the `half` frames after each border minus the mean of the `half` frames before; scores outside are 0."""
    border = torch.arange(sums.shape[1])[None]
    before, after = ((border + sign * half[:, None]).clamp(0, sums.shape[1] - 1) for sign in (-1, 1))
    change = (sums.gather(1, after) + sums.gather(1, before) - 2 * sums) / half[:, None]
    # Where nothing changes, sums have rounding errors of about 1e-16, which must not count as a change.
    return change.round(decimals=9)


def _between_changes(change: Borders, curves: Float[Tensor, "curve frame"]) -> _Spans:
    """The boxes: from each local maximum of the filter output to the next local minimum.

    The output is 0 outside the clip. Equal neighbours are one extremum: a box starts at the first border of a maximum
    and ends at the last border of a minimum. Thus a low part before a high part is a box of its own, although the
    output only falls to 0 between them.
    """
    n_curves, width = len(change), change.shape[1] + 2
    flat = torch.nn.functional.pad(change, (1, 1)).flatten()
    place = torch.arange(len(flat))
    new = torch.ones_like(flat, dtype=torch.bool)
    new[1:] = (flat[1:] != flat[:-1]) | (place[1:] % width == 0)
    start = place[new]
    value, curve = flat[start], start // width
    inner = (curve[1:-1] == curve[:-2]) & (curve[1:-1] == curve[2:]) if len(start) > 2 else torch.zeros(0).bool()
    top = inner & (value[1:-1] > value[:-2]) & (value[1:-1] > value[2:])
    bottom = inner & (value[1:-1] < value[:-2]) & (value[1:-1] < value[2:])
    extremum = (top | bottom).nonzero()[:, 0]
    opens = top[extremum]
    # Maxima and minima of a curve alternate and start with a maximum, since scores are 0 or more.
    pair = (opens[:-1] & ~opens[1:]).nonzero()[:, 0]
    begin, end = extremum[pair] + 1, extremum[pair + 1] + 1
    same = curve[begin] == curve[end]
    begin, end = begin[same], end[same]
    first, stop, curve = start[begin] % width - 1, start[end + 1] % width - 2, curve[begin]
    del flat, place, new, start, value, inner, top, bottom, extremum, opens, pair, begin, end, same
    return _with_extremes(curve, first, stop, curves, n_curves)


def _with_extremes(
    curve: BoxIndex, first: BoxIndex, stop: BoxIndex, curves: Float[Tensor, "curve frame"], n_curves: int
) -> _Spans:
    """Boxes with their peaks and with the lowest and highest score up to the next box."""
    width = curves.shape[1] + 1  # one more frame, so that the end of a curve is not the start of the next
    mark = torch.zeros(n_curves * width + 1, dtype=torch.long)
    mark[curve * width + first] = 1
    mark[curve * width + stop] += 1
    # box i is part 2 i + 1, and the frames after it are part 2 i + 2
    part = mark.cumsum(0)[:-1].view(n_curves, width)[:, :-1].flatten()
    scores, n_parts = curves.flatten(), 2 * len(curve) + 1
    high = torch.full((n_parts,), -torch.inf, dtype=scores.dtype).scatter_reduce_(0, part, scores, "amax")
    low = torch.full((n_parts,), torch.inf, dtype=scores.dtype).scatter_reduce_(0, part, scores, "amin")
    return _Spans(curve, first, stop, high[1::2], low[2::2], high[2::2])


def _merge(spans: _Spans, merge_abs: Float[Tensor, " curve"], merge_rel: Float[Tensor, " curve"]) -> _Spans:
    """Merge neighbouring boxes with a small dip between them, in each curve the smallest dip first.

    The dip is the higher of the two peaks minus the lowest score between the boxes. The peak of a merged box is its
    highest score, so that a merge never makes other dips smaller. Therefore all dips that are smaller than their
    neighbours can be merged at once. Of equal dips, the first is merged.
    """
    while len(spans.curve) > 1:
        curve, low = spans.curve[:-1], spans.low[:-1]
        top = torch.maximum(spans.peak[:-1], spans.peak[1:])
        dip = top - low
        joins = (spans.curve[1:] == curve) & (dip < merge_abs[curve]) & (top < merge_rel[curve] * low)
        if not bool(joins.any()):
            break
        depth = torch.nn.functional.pad(torch.where(joins, dip, torch.inf), (1, 1), value=torch.inf)
        joins &= (depth[1:-1] < depth[:-2]) & (depth[1:-1] <= depth[2:])
        left = joins.nonzero()[:, 0]
        stop, peak, next_low, next_high = (part.clone() for part in (spans.stop, spans.peak, spans.low, spans.high))
        stop[left] = spans.stop[left + 1]
        peak[left] = torch.maximum(top[left], spans.high[left])
        next_low[left], next_high[left] = spans.low[left + 1], spans.high[left + 1]
        keep = torch.ones(len(spans.curve), dtype=torch.bool)
        keep[left + 1] = False
        parts = (spans.curve, spans.first, stop, peak, next_low, next_high)
        spans = _Spans(*(part[keep] for part in parts))
    return spans


def _per_label(value: PerLabel, n_labels: int, name: str) -> Float[Tensor, " label"]:
    values = listed(value)
    if isinstance(value, list) and len(values) != n_labels:
        raise WsedError(f"{len(values)} values of {name} for {n_labels} labels")
    return torch.tensor(values, dtype=torch.float64).expand(n_labels)
