"""Metrics of events, segments, intersections, PSDS, tags and embeddings, and relations between classes.

Confidence intervals are in `wsed.metrics.bootstrap`; `wsed.metrics.base` shows how to add a metric.
"""

from typing import TYPE_CHECKING

from wsed.lazy import lazy

if TYPE_CHECKING:
    from wsed.metrics.base import METRICS, Metric, MetricValue
    from wsed.metrics.best_f1 import BestEventF1, BestIntersectionF1, BestSegmentF1, BestTaggingF1
    from wsed.metrics.clips import tag_counts
    from wsed.metrics.collar_psds import CollarPSDS
    from wsed.metrics.confusion import event_confusion
    from wsed.metrics.correlation import class_correlation, mean_positive_correlation, overlap_matrix, overlap_seconds
    from wsed.metrics.counts import Counts
    from wsed.metrics.embedding_metric import Embedding
    from wsed.metrics.events import event_counts
    from wsed.metrics.f1 import EventF1, IntersectionF1, SegmentF1, TaggingF1
    from wsed.metrics.intersection import cross_triggers, intersection_counts
    from wsed.metrics.onset_f1 import OnsetF1
    from wsed.metrics.pipsds import FirstPiPSDS, SecondPiPSDS
    from wsed.metrics.psds import (
        PSDS,
        PSDS1,
        PSDS2,
        PSDSParameters,
        PSDSTable,
        psds_from_operating_points,
        psds_from_scores,
    )
    from wsed.metrics.psds_metrics import FirstPSDS, SecondPSDS
    from wsed.metrics.ranking import Tagging
    from wsed.metrics.recalls import RecallByDuration, RecallByPolyphony
    from wsed.metrics.segment_ranking import SegmentRanking
    from wsed.metrics.segments import segment_counts
    from wsed.metrics.system import System
    from wsed.metrics.tagging import average_precision, f1_averages, tag_f1, tagging_scores
else:
    __getattr__, __dir__ = lazy(__name__, "metric")

__all__ = [
    "METRICS",
    "PSDS",
    "PSDS1",
    "PSDS2",
    "BestEventF1",
    "BestIntersectionF1",
    "BestSegmentF1",
    "BestTaggingF1",
    "CollarPSDS",
    "Counts",
    "Embedding",
    "EventF1",
    "FirstPSDS",
    "FirstPiPSDS",
    "IntersectionF1",
    "Metric",
    "MetricValue",
    "OnsetF1",
    "PSDSParameters",
    "PSDSTable",
    "RecallByDuration",
    "RecallByPolyphony",
    "SecondPSDS",
    "SecondPiPSDS",
    "SegmentF1",
    "SegmentRanking",
    "System",
    "Tagging",
    "TaggingF1",
    "average_precision",
    "class_correlation",
    "cross_triggers",
    "event_confusion",
    "event_counts",
    "f1_averages",
    "intersection_counts",
    "mean_positive_correlation",
    "overlap_matrix",
    "overlap_seconds",
    "psds_from_operating_points",
    "psds_from_scores",
    "segment_counts",
    "tag_counts",
    "tag_f1",
    "tagging_scores",
]
