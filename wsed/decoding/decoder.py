"""The steps in order, as one value that a YAML file can write and a checkpoint can keep."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor

from wsed.decoding import steps
from wsed.errors import WsedError
from wsed.types import Events

TagSource = Literal["none", "clip", "oracle"]
Counting = Literal["exact", "ijcnn"]


@dataclass(frozen=True)
class Decoder:
    """Frame scores to events: rescale, smooth, median, threshold, tag filter, merge, drop short ones.

    Every time is in seconds, so that one decoder serves networks of any frame rate. `dataclasses.asdict` gives plain
    values, and `Decoder(**values)` the decoder back. A list holds one value per label.

    Args:
        rescale_edge: stretch each curve to [0, 1] by its extremes, this many frames at either edge left out of them;
            None: no rescaling.
        smooth: moving average over this many seconds, rounded to the nearest odd number of frames.
        median: median filter over this many seconds, rounded likewise; a list: one per label.
        threshold: active above it.
        low: hysteresis: once active, active until the score is at or below `low`.
        merge_gap: join events of a class less than this far apart.
        min_duration: drop events shorter than this, after joining.
        tags: which classes of a clip may have events: all (`none`), those whose clip score is above `tag_threshold`
            (`clip`), or those truly in the clip (`oracle`).
        tag_threshold: for `tags: clip`.
        segment_counting: where events begin and end: at the borders of the active frames (`exact`), or where the
            published code of Pellegrini & Cances 2019 miscounts them to be (`ijcnn`), to compare with its figures.

    Raises:
        WsedError: a window is not positive, a time is negative, low is above the threshold, or a name is unknown.
    """

    rescale_edge: int | None = None
    smooth: float | None = None
    median: float | list[float] | None = None
    threshold: float | list[float] = 0.5
    low: float | None = None
    merge_gap: float = 0.0
    min_duration: float = 0.0
    tags: TagSource = "none"
    tag_threshold: float | list[float] = 0.5
    segment_counting: Counting = "exact"

    def __post_init__(self) -> None:
        for name in ("smooth", "median"):
            if any(not window > 0 for window in _listed(getattr(self, name))):
                raise WsedError(
                    f"decoder.{name} must be more than 0 seconds, not {getattr(self, name)}; null: no filter"
                )
        for name in ("rescale_edge", "merge_gap", "min_duration"):
            if any(not value >= 0 for value in _listed(getattr(self, name))):
                raise WsedError(f"decoder.{name} must be 0 or more, not {getattr(self, name)}")
        if self.low is not None and any(self.low > high for high in _listed(self.threshold)):
            raise WsedError(f"decoder.low ({self.low}) must not be above decoder.threshold ({self.threshold})")
        if self.tags not in ("none", "clip", "oracle"):
            raise WsedError(f"decoder.tags must be none, clip or oracle, not {self.tags!r}")
        if self.segment_counting not in ("exact", "ijcnn"):
            raise WsedError(f"decoder.segment_counting must be exact or ijcnn, not {self.segment_counting!r}")

    @staticmethod
    def cosine_penalty(tags: TagSource = "clip") -> "Decoder":
        """As in Pellegrini, Cances, IJCNN 2019: 19 frames of 10 / 431 s, threshold 0.03, gaps under 200 ms closed."""
        return Decoder(rescale_edge=3, smooth=19 * 10 / 431, threshold=0.03, merge_gap=0.2, tags=tags)

    def __call__(
        self,
        frame_scores: Float[Tensor, "clip frame label"],
        frame_rate: float,
        *,
        valid: Bool[Tensor, "clip frame"] | None = None,
        clip_scores: Float[Tensor, "clip label"] | None = None,
        true_tags: Bool[Tensor, "clip label"] | None = None,
        durations: Float[Tensor, " clip"] | None = None,
    ) -> Events:
        """Events of each clip, sorted by clip, label, onset; times in seconds.

        Args:
            frame_scores: any float type, any device; needs no gradient.
            frame_rate: frames per second.
            valid: frames that hold signal; the others are never active.
            clip_scores: needed for `tags: clip`.
            true_tags: needed for `tags: oracle`.
            durations: seconds of each clip; events end there at the latest.

        Raises:
            WsedError: the tags asked for are not given, or a list does not have one value per label.
        """
        curves = self.curves(frame_scores, frame_rate, valid)
        active = self._switched(curves, valid)
        tags = allowed_tags(self.tags, self.tag_threshold, clip_scores, true_tags)
        if tags is not None:
            active = steps.tag_filter(active, tags.to(active.device))
        borders = None
        if self.segment_counting == "ijcnn":
            borders = steps.ijcnn_borders(curves, self.threshold if self.low is None else self.low, self.threshold)
        events = steps.to_events(active, frame_rate, durations, borders)
        if self.merge_gap > 0:
            events = steps.merge_gaps(events, self.merge_gap)
        return steps.min_duration(events, self.min_duration) if self.min_duration > 0 else events

    def _switched(
        self, curves: Float[Tensor, "clip frame label"], valid: Bool[Tensor, "clip frame"] | None
    ) -> Bool[Tensor, "clip frame label"]:
        """Which frames are active, before tags, joining and dropping; frames that are not `valid` never are."""
        if self.low is None:
            active = steps.threshold(curves, self.threshold)
        else:
            active = steps.hysteresis(curves, self.low, self.threshold)
        return active if valid is None else active & valid[..., None]

    def curves(
        self,
        frame_scores: Float[Tensor, "clip frame label"],
        frame_rate: float,
        valid: Bool[Tensor, "clip frame"] | None = None,
    ) -> Float[Tensor, "clip frame label"]:
        """The scores as the threshold sees them: rescaled and smoothed (for figures, and for a threshold search).

        Values at frames that are not `valid` mean nothing.
        """
        if not frame_rate > 0:
            raise WsedError(f"frame_rate must be positive, not {frame_rate}")
        curves = frame_scores
        if not curves.shape[1]:
            return curves  # a clip without frames has no extremes and no edges
        if self.rescale_edge is not None:
            curves = steps.rescale(curves, self.rescale_edge, valid)
        if self.smooth is not None:
            curves = steps.moving_average(curves, odd_frames(self.smooth, frame_rate), valid)
        if self.median is not None:
            windows = [odd_frames(seconds, frame_rate) for seconds in _listed(self.median)]
            curves = steps.median_filter(curves, windows if isinstance(self.median, list) else windows[0], valid)
        return curves

    def ranked(
        self,
        frame_scores: Float[Tensor, "clip frame label"],
        frame_rate: float,
        *,
        valid: Bool[Tensor, "clip frame"] | None = None,
        clip_scores: Float[Tensor, "clip label"] | None = None,
        true_tags: Bool[Tensor, "clip label"] | None = None,
    ) -> Float[Tensor, "clip frame label"]:
        """Scores for metrics over all thresholds, such as PSDS: the curves, -inf where the tags allow no event.

        Joining and dropping of events do not enter. Arguments and errors as for the call.
        """
        curves = self.curves(frame_scores, frame_rate, valid)
        tags = allowed_tags(self.tags, self.tag_threshold, clip_scores, true_tags)
        return curves if tags is None else curves.masked_fill(~tags.to(curves.device)[:, None, :], -math.inf)


def allowed_tags(
    source: TagSource,
    tag_threshold: float | list[float],
    clip_scores: Float[Tensor, "clip label"] | None,
    true_tags: Bool[Tensor, "clip label"] | None,
) -> Bool[Tensor, "clip label"] | None:
    """The classes that a clip may have events of; None: all.

    Raises:
        WsedError: the tags asked for are not given, or a list does not have one value per label.
    """
    if source == "none":
        return None
    if source == "oracle":
        if true_tags is None:
            raise WsedError(
                "decoder.tags is oracle, but the true tags of these clips are not known: set it to clip or none"
            )
        return true_tags.bool()
    if clip_scores is None:
        raise WsedError("decoder.tags is clip, but the network gives no clip scores; add a head that does")
    return steps.threshold(clip_scores[:, None, :], tag_threshold)[:, 0, :]


def odd_frames(seconds: float, frame_rate: float) -> int:
    """The odd number of frames nearest to `seconds` (the larger of two equally near)."""
    return 2 * math.floor(seconds * frame_rate / 2) + 1


def _listed(value: int | float | Sequence[float] | None) -> list[int | float]:
    if value is None:
        return []
    return [value] if isinstance(value, int | float) else list(value)
