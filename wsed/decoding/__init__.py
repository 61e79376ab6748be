"""Decoding: from scores to events, and the search for thresholds."""

from typing import TYPE_CHECKING

from wsed.lazy import lazy

if TYPE_CHECKING:
    from wsed.decoding.base import DECODERS, Decoder
    from wsed.decoding.levels import decode_at
    from wsed.decoding.sebb import BoxDecoder
    from wsed.decoding.step_decoder import StepDecoder, odd_frames
    from wsed.decoding.steps import (
        hysteresis,
        median_filter,
        merge_gaps,
        min_duration,
        moving_average,
        rescale,
        tag_filter,
        threshold,
        to_events,
    )
    from wsed.decoding.thresholds import Tuned, exact_thresholds, grid_thresholds, random_thresholds
    from wsed.decoding.tuning import Tuning, tune_events
else:
    __getattr__, __dir__ = lazy(__name__, "decoder")

__all__ = [
    "DECODERS",
    "BoxDecoder",
    "Decoder",
    "StepDecoder",
    "Tuned",
    "Tuning",
    "decode_at",
    "exact_thresholds",
    "grid_thresholds",
    "hysteresis",
    "median_filter",
    "merge_gaps",
    "min_duration",
    "moving_average",
    "odd_frames",
    "random_thresholds",
    "rescale",
    "tag_filter",
    "threshold",
    "to_events",
    "tune_events",
]
