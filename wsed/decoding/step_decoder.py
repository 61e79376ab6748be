"""The decoder that applies the steps of `wsed.decoding.steps` in order."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.decoding import steps
from wsed.decoding.base import (
    DECODERS,
    Decoder,
    PerLabel,
    Setting,
    TagSource,
    check_regular_frames,
    listed,
)
from wsed.decoding.levels import decode_at
from wsed.errors import WsedError
from wsed.types import Events
from wsed.values import Detections, Scores


@DECODERS.register("steps")
@dataclass(frozen=True)
class StepDecoder(Decoder):
    """Decodes events in these steps: rescale, smooth, median, threshold, tag filter, join over gaps, drop short events.

    Each step is optional except for the threshold. The confidence of an event is the mean of the smoothed scores of its
    active frames, at most 1.

    Args:
        rescale_edge: scale each curve to [0, 1] by its minimum and maximum, which are taken without this many frames at
            either end; no rescaling if None.
        smooth: seconds of a moving average, rounded to the nearest odd number of frames.
        median: seconds of a median filter, rounded in the same way; a list has one value per label.
        threshold: frames with a score above it are active.
        low: hysteresis: an active class stays active until its score is at or below `low`.
        merge_gap: join events of a class that are less than this many seconds apart; a list has one value per label.
        min_duration: drop events that are shorter than this many seconds, after joining.
        tags: classes that may have events in a clip; see `Decoder`.
        tag_threshold: threshold of clip scores for `tags: clip`.

    Raises:
        WsedError: a window is not positive, a time is negative, `low` is above the threshold, or a name is unknown.

    >>> curve = torch.tensor([0.1, 0.9, 0.7, 0.2])
    >>> detections = StepDecoder()(Scores.of_padded(curve[None, :, None], frame_rate=2.0))
    >>> detections.events.onset.tolist(), detections.events.offset.tolist(), round(detections.confidence.item(), 3)
    ([0.5], [1.5], 0.8)
    """

    rescale_edge: int | None = None
    smooth: float | None = None
    median: PerLabel | None = None
    threshold: PerLabel = 0.5
    low: float | None = None
    merge_gap: PerLabel = 0.0
    min_duration: float = 0.0
    tags: TagSource = "none"
    tag_threshold: PerLabel = 0.5

    def __post_init__(self) -> None:
        for name, windows in (("smooth", self.smooth), ("median", self.median)):
            if any(not window > 0 for window in listed(windows)):
                raise WsedError(f"decoder.{name} must be more than 0 seconds, not {windows}; null: no filter")
        for name, times in (
            ("rescale_edge", [self.rescale_edge or 0]),
            ("merge_gap", listed(self.merge_gap)),
            ("min_duration", [self.min_duration]),
        ):
            if not all(0 <= time < math.inf for time in times):
                raise WsedError(f"decoder.{name} must be 0 or more and finite, not {getattr(self, name)}")
        if self.low is not None and any(self.low > high for high in listed(self.threshold)):
            raise WsedError(f"decoder.low ({self.low}) must not be above decoder.threshold ({self.threshold})")

    def __call__(self, scores: Scores, tags: Bool[Tensor, "clip label"] | None = None) -> Detections:
        self._check_gaps(scores)
        curves, valid = self._smoothed(scores)
        active = self._active(curves, valid)
        allowed = self.allowed(scores, tags)
        if allowed is not None:
            active = steps.tag_filter(active, allowed.to(active.device))
        return self._detections(scores, curves, active)

    def resumed(
        self, scores: Scores, known: Bool[Tensor, "known label"] | None
    ) -> tuple[Detections, Bool[Tensor, "frame label"] | None]:
        """The events of a part of a recording; with hysteresis also its active frames, as a class may stay active."""
        if self.low is None:
            return self(scores), None
        self._check_gaps(scores)
        curves, valid = self._smoothed(scores)
        active = self._active(curves, valid, known)
        return self._detections(scores, curves, active), active[0]

    def _detections(
        self,
        scores: Scores,
        curves: Float[Tensor, "clip frame label"],
        active: Bool[Tensor, "clip frame label"],
    ) -> Detections:
        """The runs of active frames as events, after joining and dropping."""
        runs = steps.Runs.of(active)
        events, inside = steps.cut(self.to_events(runs, curves, scores.frame_rate), scores.durations)
        total, frames = runs.sums(curves)[inside], (runs.stop - runs.first).cpu()[inside].double()
        if any(listed(self.merge_gap)):
            events, whole = steps.merged(events, self.merge_gap)
            total, frames = (torch.zeros(len(events)).double().index_add_(0, whole, part) for part in (total, frames))
        detections = Detections(events, (total / frames).clamp(max=1))  # rescaled curves may end far above 1
        return detections[steps.lasts(events, self.min_duration)] if self.min_duration > 0 else detections

    def to_events(self, runs: steps.Runs, curves: Float[Tensor, "clip frame label"], frame_rate: float) -> Events:
        """The runs of active frames as events in seconds, one event per run, on the CPU; subclasses may override it.

        >>> curves = torch.tensor([[[0.1], [0.9], [0.2]]])
        >>> StepDecoder().to_events(steps.Runs.of(curves > 0.5), curves, frame_rate=2.0).onset.tolist()
        [0.5]
        """
        return runs.to_events(frame_rate)

    def curves(self, scores: Scores) -> Scores:
        """The scores that are compared with the threshold: rescaled and smoothed."""
        if self.rescale_edge is None and self.smooth is None and self.median is None:
            check_regular_frames(scores)
            return scores
        return scores.with_padded(self._smoothed(scores)[0])

    @property
    def reach(self) -> float:
        """Half of each filter, plus the longest gap that is joined and the shortest event, in seconds."""
        filters = (self.smooth or 0.0) / 2 + max(listed(self.median), default=0.0) / 2
        return filters + max(listed(self.merge_gap), default=0.0) + self.min_duration

    def within(self, scores: Scores, tags: Bool[Tensor, "clip label"] | None = None) -> Scores:
        """The scores of windows, rescaled like clips; classes that the tags exclude score 0."""
        if self.rescale_edge is not None:
            rescaled = replace(self, smooth=None, median=None).curves(scores)
            return super().within(rescaled, tags)
        return super().within(scores, tags)

    def across(self) -> Decoder:
        """The decoder without the steps of `within`: rescaling and tags."""
        return replace(self, rescale_edge=None, tags="none")

    def at(self, scores: Scores, thresholds: Sequence[float], tags: Bool[Tensor, "clip label"] | None = None) -> Events:
        """The events at each threshold, computed at once by `decode_at`."""
        self._check_searchable()
        self._check_gaps(scores)
        return self._finished(decode_at(self.curves(scores), thresholds, self.allowed(scores, tags)))

    def candidates(
        self, frame_rate: float, medians: Sequence[float] | None = None, gaps: Sequence[float] | None = None
    ) -> list[Setting]:
        """Every combination of a window of the median filter and a gap; a window of one frame means no filter."""
        self._check_searchable()
        settings: list[Setting] = [{}] if medians is None else [{"median": each or 1 / frame_rate} for each in medians]
        return settings if gaps is None else [{**setting, "merge_gap": gap} for setting in settings for gap in gaps]

    def inexact_for_segments(self) -> list[str]:
        plain = StepDecoder()
        settings = {
            "low": self.low != plain.low,
            "merge_gap": any(listed(self.merge_gap)),
            "min_duration": self.min_duration != plain.min_duration,
        }
        return [name for name, differs in settings.items() if differs]

    def _check_searchable(self) -> None:
        if self.low is not None:
            raise WsedError("thresholds are searched without hysteresis; set decoder.low to null")

    def _check_gaps(self, scores: Scores) -> None:
        n_labels = scores.need_frames()[0].shape[1]
        if isinstance(self.merge_gap, list) and len(self.merge_gap) != n_labels:
            raise WsedError(f"{len(self.merge_gap)} values of merge_gap for {n_labels} labels")

    def _active(
        self,
        curves: Float[Tensor, "clip frame label"],
        valid: Bool[Tensor, "clip frame"] | None,
        known: Bool[Tensor, "known label"] | None = None,
    ) -> Bool[Tensor, "clip frame label"]:
        """The active frames, before the tag filter, joining and dropping; padding is never active.

        With hysteresis, the activity of the first frames may be `known`.
        """
        if self.low is None:
            active = steps.threshold(curves, self.threshold)
        else:
            if known is not None:  # an infinite score switches a class on or off, whatever the frames before it are
                certain = torch.where(known[None], math.inf, -math.inf).to(curves.dtype)
                curves = torch.cat([certain, curves[:, len(known) :]], 1)
            active = steps.hysteresis(curves, self.low, self.threshold)
        return active if valid is None else active & valid[..., None]

    def _smoothed(self, scores: Scores) -> tuple[Float[Tensor, "clip frame label"], Bool[Tensor, "clip frame"] | None]:
        """Curves, and a mask of the frames without padding; None if there is no padding."""
        check_regular_frames(scores)
        curves, valid = scores.padded()
        if not curves.shape[1]:
            return curves, None  # a clip without frames has no extremes and no edges
        real = None if scores.is_full else valid
        if self.rescale_edge is not None:
            curves = steps.rescale(curves, self.rescale_edge, real)
        if self.smooth is not None:
            curves = steps.moving_average(curves, odd_frames(self.smooth, scores.frame_rate), real)
        if self.median is not None:
            windows = [odd_frames(seconds, scores.frame_rate) for seconds in listed(self.median)]
            curves = steps.median_filter(curves, windows if isinstance(self.median, list) else windows[0], real)
        return curves, real

    def _finished(self, events: Events) -> Events:
        """The events after joining over gaps and dropping short events."""
        if any(listed(self.merge_gap)):
            events = steps.merge_gaps(events, self.merge_gap)
        return steps.min_duration(events, self.min_duration) if self.min_duration > 0 else events


def odd_frames(seconds: float, frame_rate: float) -> int:
    """The odd number of frames that is nearest to `seconds`; of two equally near ones, the larger.

    >>> odd_frames(0.5, frame_rate=50.0)
    25
    """
    return 2 * math.floor(seconds * frame_rate / 2) + 1
