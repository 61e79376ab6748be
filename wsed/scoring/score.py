"""A `Report` from scores, truth and a decoder; shared by `wsed test` and `wsed evaluate`."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool
from torch import Tensor

from wsed.decoding.base import Decoder
from wsed.metrics.base import Metric, MetricValue, default_metrics
from wsed.metrics.confusion import event_confusion
from wsed.metrics.correlation import class_correlation, mean_positive_correlation, overlap_seconds
from wsed.metrics.system import System
from wsed.scoring.facts import Correlation
from wsed.scoring.report import ConfusionTable, Report
from wsed.truth import Truth
from wsed.types import Events, Labels
from wsed.values import Detections, Scores


def detect(scores: Scores, truth: Truth, decoder: Decoder) -> Detections:
    """The events of all clips; none for a system that only tags.

    The decoder gets the true tags only if the tags of all clips are known.

    >>> import torch
    >>> from wsed.decoding import StepDecoder
    >>> scores = Scores.of_clips(["a.wav"], [torch.tensor([[0.1], [0.9]])], frame_rate=1.0)
    >>> truth = Truth.of_events(Events.of([]), n_clips=1, n_labels=1)
    >>> detect(scores, truth, StepDecoder()).events.onset.tolist()
    [1.0]
    """
    if scores.frames is None:
        return Detections(Events.of([]), torch.zeros(0))
    return decoder(scores, _true_tags(truth))


def system_of(scores: Scores, truth: Truth, labels: Labels, decoder: Decoder, detected: Events | None = None) -> System:
    """The predictions of a network and the truth, as a system that can be scored.

    Args:
        scores: scores of the clips.
        truth: truth about the same clips.
        labels: the classes.
        decoder: decodes events, the scores that PSDS ranks, and tags.
        detected: the events of all clips, if they have been decoded already.

    >>> import torch
    >>> from wsed.decoding import StepDecoder
    >>> scores = Scores.of_clips(["a.wav"], [torch.tensor([[0.1], [0.9]])], frame_rate=1.0)
    >>> truth = Truth.of_events(Events.of([(0, 0, 1.0, 2.0)]), n_clips=1, n_labels=1)
    >>> score(system_of(scores, truth, Labels(["Dog"]), StepDecoder())).value("event_f1")
    1.0
    """
    ranked = None
    if scores.frames is None:
        detected = None
    else:
        detected = decoder(scores, _true_tags(truth)).events if detected is None else detected
        if bool(truth.timed.any()):
            ranked = decoder.ranked(scores, _true_tags(truth))
    return System(
        labels,
        truth,
        detected,
        scores.durations,
        ranked,
        tags=decoder.predicted_tags(scores),
        clip_scores=scores.clip_scores,
        embeddings=scores.embeddings,
    )


def score(system: System, metrics: Mapping[str, Metric] | None = None) -> Report:
    """The report of a system: every metric that can be computed, and the confusion of classes.

    Args:
        system: the system.
        metrics: metrics by name; `default_metrics` if None.

    >>> from wsed.testing.metrics import system
    >>> score(system()).clips
    6
    """
    values = compute(system, default_metrics() if metrics is None else metrics)
    clips = system.timed
    if clips is None:
        return Report(len(system.truth), values)
    labels = tuple(system.labels)
    confusion = event_confusion(clips.reference, clips.detected, len(labels))
    sides = {"reference": clips.reference, "detected": clips.detected}
    minutes = {name: overlap_seconds(events, len(labels)) / 60 for name, events in sides.items()}
    return Report(len(system.truth), values, ConfusionTable(labels, confusion), minutes)


def compute(system: System, metrics: Mapping[str, Metric]) -> dict[str, MetricValue | None]:
    """The value of each metric; None for a metric of events, such as PSDS, that needs more than the system provides.

    Other metrics that need what the system does not provide are left out.

    >>> from wsed.metrics import EventF1
    >>> from wsed.testing.metrics import system
    >>> compute(system(), {"event_f1": EventF1()})["event_f1"].numbers["n_ref"]
    7
    """
    provided = system.provides
    values: dict[str, MetricValue | None] = {}
    for name, metric in metrics.items():
        if metric.needs <= provided:
            values[name] = metric.compute(system)
        elif "events" in metric.needs & provided:
            values[name] = None
    return values


def correlation(scores: Scores, labels: Labels) -> Correlation | None:
    """Correlation of the mean scores of classes over clips (Pellegrini & Cances 2019, figure 4).

    None for a system that only tags.

    >>> import torch
    >>> scores = Scores.of_padded(torch.tensor([[[0.0, 0.0]], [[1.0, 1.0]]]), frame_rate=1.0)
    >>> round(correlation(scores, Labels(["cat", "dog"])).mean_positive, 3)
    1.0
    """
    if scores.frames is None:
        return None
    frames, valid = scores.padded()
    means = frames.sum(1, dtype=torch.float64) / valid.sum(1, keepdim=True).clamp(min=1)  # spreads may be small
    matrix = class_correlation(means)
    rows = tuple(map(tuple, matrix.tolist()))
    return Correlation(mean_positive_correlation(matrix), tuple(labels), rows)


def _true_tags(truth: Truth) -> Bool[Tensor, "clip label"] | None:
    return truth.tags if bool(truth.tagged.all()) else None
