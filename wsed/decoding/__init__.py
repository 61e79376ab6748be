"""Frame scores to events."""

from wsed.decoding.decoder import Decoder, odd_frames
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

__all__ = [
    "Decoder",
    "hysteresis",
    "median_filter",
    "merge_gaps",
    "min_duration",
    "moving_average",
    "odd_frames",
    "rescale",
    "tag_filter",
    "threshold",
    "to_events",
]
