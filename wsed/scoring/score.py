"""Scores, truth and a decoder in, a `Report` out: what `wsed test` and `wsed evaluate` share."""

from collections.abc import Mapping

from jaxtyping import Bool
from torch import Tensor

from wsed.decoding.base import Decoder
from wsed.metrics.base import Metric, MetricValue, default_metrics
from wsed.metrics.confusion import event_confusion
from wsed.metrics.correlation import class_correlation, mean_positive_correlation, overlap_seconds
from wsed.metrics.system import System
from wsed.scoring.facts import Correlation
from wsed.scoring.report import ConfusionTable, Report
from wsed.types import Events, Labels
from wsed.values import Detections, Scores, Truth


def detect(scores: Scores, truth: Truth, decoder: Decoder) -> Detections | None:
    """The events of all clips; None for a system that only tags.

    The true tags are there for a decoder that asks for them only if those of all clips are known.
    """
    return None if scores.frames is None else decoder(scores, _true_tags(truth))


def system_of(scores: Scores, truth: Truth, labels: Labels, decoder: Decoder, detected: Events | None = None) -> System:
    """What is scored of a network: events, tags and embeddings, each where the truth is known.

    Args:
        scores: of the clips.
        truth: about the same clips.
        labels: the classes.
        decoder: from scores to events and to what PSDS ranks; its `tag_threshold` decides on tags.
        detected: the events of all clips, where they were decoded already.

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
    """Every metric that the system provides for, and how its classes are confused.

    Args:
        system: what is scored.
        metrics: by name; None: `default_metrics`.
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
    """The value of each metric; None for a metric of events that asks for more than there is, such as PSDS.

    Metrics of what the system does not have at all, or what is not known of the clips, are left out.
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
    """How the mean scores of classes go together over clips; None for a system that only tags.

    Source: Pellegrini & Cances 2019, figure 4.
    """
    if scores.frames is None:
        return None
    frames, valid = scores.padded()
    means = frames.sum(1) / valid.sum(1, keepdim=True).clamp(min=1)
    matrix = class_correlation(means)
    rows = tuple(map(tuple, matrix.tolist()))
    return Correlation(mean_positive_correlation(matrix), tuple(labels), rows)


def _true_tags(truth: Truth) -> Bool[Tensor, "clip label"] | None:
    return truth.tags if bool(truth.tagged.all()) else None
