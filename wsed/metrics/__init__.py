"""Scores of what was detected: events, segments, tags, and how classes go together."""

from wsed.metrics.clips import average_precision, tag_counts
from wsed.metrics.correlation import class_correlation, mean_positive_correlation, overlap_matrix, overlap_seconds
from wsed.metrics.counts import Counts
from wsed.metrics.events import event_counts
from wsed.metrics.segments import segment_counts

__all__ = [
    "Counts",
    "average_precision",
    "class_correlation",
    "event_counts",
    "mean_positive_correlation",
    "overlap_matrix",
    "overlap_seconds",
    "segment_counts",
    "tag_counts",
]
