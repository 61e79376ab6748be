"""Sound event bounding boxes from change detection (cSEBBs): where an event is, and how sure, decided apart.

Ebbers, Germain, Wichern, Le Roux: Sound Event Bounding Boxes, Interspeech 2024 (arXiv 2406.04212). Written from the
paper's description; where it leaves a choice open, the docstrings say what is done here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.decoding.decoder import TagSource, allowed_tags
from wsed.errors import WsedError
from wsed.types import Events

Scores = Float[Tensor, "clip frame label"]
Curves = Float[Tensor, "curve frame"]
Borders = Float[Tensor, "curve border"]
BoxIndex = Int[Tensor, " box"]
PerLabel = float | Sequence[float]


@dataclass(frozen=True)
class Boxes:
    """Events, sorted by clip, label, onset, with a confidence each; boxes of one clip and label never touch.

    Attributes:
        events: where the boxes lie.
        confidence: mean score inside each box.
    """

    events: Events
    confidence: Float[Tensor, " event"]

    def __len__(self) -> int:
        return len(self.events)

    def above(self, threshold: PerLabel | Float[Tensor, " label"]) -> Events:
        """The events surer than the threshold (strictly), one for all labels or one per label; their times stay."""
        limit = torch.as_tensor(threshold, dtype=self.confidence.dtype)
        return self.events[self.confidence > (limit[self.events.label] if limit.ndim else limit)]

    def frame_scores(self, n_clips: int, n_labels: int, n_frames: int, frame_rate: float) -> Scores:
        """The boxes as scores: the confidence inside, 0 outside. For metrics over all thresholds, such as PSDS.

        At the frame rate of the decoding, the events above any threshold are those of `above`.
        """
        louder = replace(self.events, gain=self.confidence)
        return louder.rasterise(n_clips, n_labels, n_frames, frame_rate)


@dataclass(frozen=True)
class BoxDecoder:
    """Settings of change detection; a list holds one value per label, times are in seconds.

    `dataclasses.asdict` gives plain values, and `BoxDecoder(**values)` the decoder back.

    Args:
        window: length of the step filter; half of it looks back and half ahead (each one frame or more).
        merge_abs: two boxes become one if the gap's mean score is less than this below the higher of their scores.
        merge_rel: or if that score is less than this times the gap's mean score.
        threshold: boxes of a confidence above it are events.
        tags: which classes of a clip may have events, see `Decoder`.
        tag_threshold: for `tags: clip`.

    Raises:
        WsedError: a window is not positive, a merging threshold negative, or `tags` is unknown.
    """

    window: float | list[float] = 0.5
    merge_abs: float | list[float] = 0.1
    merge_rel: float | list[float] = 2.0
    threshold: float | list[float] = 0.5
    tags: TagSource = "none"
    tag_threshold: float | list[float] = 0.5

    def __post_init__(self) -> None:
        if any(not value > 0 for value in _listed(self.window)):
            raise WsedError(f"window must be more than 0 seconds, not {self.window}")
        for name in ("merge_abs", "merge_rel"):
            if any(not value >= 0 for value in _listed(getattr(self, name))):
                raise WsedError(f"{name} must be 0 or more, not {getattr(self, name)}")
        if self.tags not in ("none", "clip", "oracle"):
            raise WsedError(f"decoder.tags must be none, clip or oracle, not {self.tags!r}")

    def __call__(
        self,
        frame_scores: Scores,
        frame_rate: float,
        *,
        valid: Bool[Tensor, "clip frame"] | None = None,
        clip_scores: Float[Tensor, "clip label"] | None = None,
        true_tags: Bool[Tensor, "clip label"] | None = None,
        durations: Float[Tensor, " clip"] | None = None,
    ) -> Events:
        """The events above the threshold (arguments and errors as `boxes` and `Decoder`)."""
        events = self.boxes(frame_scores, frame_rate, valid=valid, durations=durations).above(self.threshold)
        tags = allowed_tags(self.tags, self.tag_threshold, clip_scores, true_tags)
        return events if tags is None else events[tags.cpu()[events.clip, events.label]]

    def curves(
        self, frame_scores: Scores, frame_rate: float, valid: Bool[Tensor, "clip frame"] | None = None
    ) -> Scores:
        """The confidence of the box at each frame, 0 outside boxes (for figures); float32."""
        return self.boxes(frame_scores, frame_rate, valid=valid).frame_scores(*_grid(frame_scores), frame_rate)

    def ranked(
        self,
        frame_scores: Scores,
        frame_rate: float,
        *,
        valid: Bool[Tensor, "clip frame"] | None = None,
        clip_scores: Float[Tensor, "clip label"] | None = None,
        true_tags: Bool[Tensor, "clip label"] | None = None,
    ) -> Scores:
        """Scores for metrics over all thresholds, such as PSDS: -inf outside boxes too, see `Decoder.ranked`."""
        curves = self.curves(frame_scores, frame_rate, valid)
        tags = allowed_tags(self.tags, self.tag_threshold, clip_scores, true_tags)
        active = curves > 0 if tags is None else (curves > 0) & tags.cpu()[:, None, :]
        return curves.masked_fill(~active, -math.inf)

    def boxes(
        self,
        frame_scores: Scores,
        frame_rate: float,
        *,
        valid: Bool[Tensor, "clip frame"] | None = None,
        durations: Float[Tensor, " clip"] | None = None,
    ) -> Boxes:
        """All boxes of each clip, on the CPU.

        Args:
            frame_scores: in [0, 1], not smoothed: the step filter does that.
            frame_rate: frames per second.
            valid: frames that hold signal: the first ones of each clip, padding after them.
            durations: seconds of each clip. Offsets are cut there, and boxes that start at or after it are dropped.

        Raises:
            WsedError: `frame_rate` is not positive, or a list does not have one value per label.
        """
        if not frame_rate > 0:
            raise WsedError(f"frame_rate must be positive, not {frame_rate}")
        scores = frame_scores.detach().double().cpu()
        n_clips, n_frames, n_labels = scores.shape
        ends = torch.full((n_clips,), n_frames)
        if valid is not None:
            scores, ends = scores * valid.cpu()[..., None], valid.cpu().sum(1)
        curves = scores.transpose(1, 2).reshape(n_clips * n_labels, n_frames)
        sums = torch.nn.functional.pad(curves.cumsum(1), (1, 0))
        window, merge_abs, merge_rel = (
            _per_label(getattr(self, name), n_labels, name).repeat(n_clips)
            for name in ("window", "merge_abs", "merge_rel")
        )
        half = (window * frame_rate / 2).round().long().clamp(min=1)
        inside = torch.arange(n_frames + 1) <= ends.repeat_interleave(n_labels)[:, None]
        change = _step_filter(sums, half) * inside
        found = _merge(_between_changes(change), sums, merge_abs, merge_rel)
        return _as_boxes(found, sums, n_labels, frame_rate, durations)


def _grid(scores: Scores) -> tuple[int, int, int]:
    """Numbers of clips, labels and frames."""
    n_clips, n_frames, n_labels = scores.shape
    return n_clips, n_labels, n_frames


class _Spans(NamedTuple):
    """Boxes as frames `first <= frame < stop` of a curve, sorted by curve and frame."""

    curve: BoxIndex
    first: BoxIndex
    stop: BoxIndex

    def mean(self, sums: Borders) -> Float[Tensor, " box"]:
        return (sums[self.curve, self.stop] - sums[self.curve, self.first]) / (self.stop - self.first)


def _step_filter(sums: Borders, half: Int[Tensor, " curve"]) -> Borders:
    """Mean of the `half` frames after each frame border minus that of the `half` before; scores are 0 outside."""
    border = torch.arange(sums.shape[1])[None]
    before, after = ((border + sign * half[:, None]).clamp(0, sums.shape[1] - 1) for sign in (-1, 1))
    change = (sums.gather(1, after) + sums.gather(1, before) - 2 * sums) / half[:, None]
    # Sums leave a rounding error of about 1e-16 where nothing changes; it must not pass for a change.
    return change.round(decimals=9)


def _between_changes(change: Borders) -> _Spans:
    """From each steepest rise to the steepest fall that follows it.

    A stretch of borders where the change has one sign (or none) holds one extremum that counts: the highest is an
    onset (the first of equal ones), the lowest an offset (the last). So of two rises with no fall between them, both
    local maxima, the steeper one is the onset.
    """
    curve, border = change.nonzero(as_tuple=True)
    if not curve.numel():
        return _Spans(curve, border, border)
    value = change[curve, border]
    rising = value > 0
    new = torch.ones_like(rising)
    new[1:] = (curve[1:] != curve[:-1]) | (rising[1:] != rising[:-1])
    stretch = new.long().cumsum(0) - 1
    n, up, curve = int(stretch[-1]) + 1, rising[new], curve[new]
    peak = torch.zeros(n, dtype=value.dtype).scatter_reduce_(0, stretch, value.abs(), "amax")
    at_peak = value.abs() == peak[stretch]
    first = torch.full((n,), change.shape[1]).scatter_reduce_(0, stretch[at_peak], border[at_peak], "amin")
    last = torch.zeros(n, dtype=torch.long).scatter_reduce_(0, stretch[at_peak], border[at_peak], "amax")
    onset = (up[:-1] & ~up[1:] & (curve[1:] == curve[:-1])).nonzero()[:, 0]
    return _Spans(curve[onset], first[onset], last[onset + 1])


def _merge(
    spans: _Spans, sums: Borders, merge_abs: Float[Tensor, " curve"], merge_rel: Float[Tensor, " curve"]
) -> _Spans:
    """Neighbours joined over gaps that hardly dip, the shallowest gap of each curve first, until none is left.

    The dip is the higher of the two boxes' mean scores minus the gap's; after a join the mean score is that of the
    whole box, gap included. The first of equal gaps is joined.
    """
    while len(spans.curve) > 1:
        pair = (spans.curve[1:] == spans.curve[:-1]).nonzero()[:, 0]
        curve = spans.curve[pair]
        gap = _Spans(curve, spans.stop[pair], spans.first[pair + 1]).mean(sums)
        score = spans.mean(sums)
        top = torch.maximum(score[pair], score[pair + 1])
        joins = (top - gap < merge_abs[curve]) | (top < merge_rel[curve] * gap)
        pair, curve, dip = pair[joins], curve[joins], (top - gap)[joins]
        if not pair.numel():
            break
        least = torch.full((len(sums),), torch.inf, dtype=dip.dtype).scatter_reduce_(0, curve, dip, "amin")
        pair, curve = (of[dip == least[curve]] for of in (pair, curve))
        first_of = torch.full((len(sums),), len(spans.curve)).scatter_reduce_(0, curve, pair, "amin")
        pair = pair[first_of[curve] == pair]
        stop, keep = spans.stop.clone(), torch.ones(len(spans.curve), dtype=torch.bool)
        stop[pair], keep[pair + 1] = spans.stop[pair + 1], False
        spans = _Spans(spans.curve[keep], spans.first[keep], stop[keep])
    return spans


def _as_boxes(
    spans: _Spans, sums: Borders, n_labels: int, frame_rate: float, durations: Float[Tensor, " clip"] | None
) -> Boxes:
    clip, label, confidence = spans.curve // max(n_labels, 1), spans.curve % max(n_labels, 1), spans.mean(sums)
    onset, offset = (frame.double() / frame_rate for frame in (spans.first, spans.stop))
    if durations is not None:
        end = durations.detach().cpu().double()[clip]
        keep, offset = onset < end, torch.minimum(offset, end)
        clip, label, onset, offset, confidence = (of[keep] for of in (clip, label, onset, offset, confidence))
    return Boxes(Events(clip, label, onset, offset, torch.ones_like(onset)), confidence)


def _listed(value: float | list[float]) -> list[float]:
    return value if isinstance(value, list) else [value]


def _per_label(value: float | list[float], n_labels: int, name: str) -> Float[Tensor, " label"]:
    values = _listed(value)
    if isinstance(value, list) and len(values) != n_labels:
        raise WsedError(f"{len(values)} values of {name} for {n_labels} labels")
    return torch.tensor(values, dtype=torch.float64).expand(n_labels)
