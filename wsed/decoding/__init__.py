"""Frame scores to events."""

from wsed.decoding.decoder import Decoder, odd_frames
from wsed.decoding.sebb import BoxDecoder, Boxes
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
from wsed.decoding.sweep import decode_at, tune_boxes, tune_decoder
from wsed.decoding.tune import Tuned, exact_thresholds, grid_thresholds, random_thresholds

__all__ = [
    "BoxDecoder",
    "Boxes",
    "Decoder",
    "Tuned",
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
    "tune_boxes",
    "tune_decoder",
]
