"""Precision, recall and F1 of events over thresholds, for each class and for all classes together."""

from collections.abc import Sequence

import numpy as np

from wsed.decoding.base import Decoder
from wsed.errors import WsedError
from wsed.metrics import event_counts
from wsed.metrics.counts import Counts
from wsed.report.html.shown import Shown, keep
from wsed.scoring.plain import Plain
from wsed.types import Events
from wsed.values import Detections, Scores

N_POINTS = 25
"""Number of thresholds that are tried."""
GRID = np.linspace(0.02, 0.98, N_POINTS).round(3)


def of_decoder(decoder: Decoder, scores: Scores, tags: object = None) -> tuple[tuple[float, Events], ...]:
    """The events at each threshold of a grid; nothing if the thresholds of the decoder cannot be varied.

    >>> import torch
    >>> from wsed.decoding import StepDecoder
    >>> scores = Scores.of_clips(["a.wav"], [torch.tensor([[0.1], [0.9]])], frame_rate=1.0)
    >>> [len(events) for _, events in of_decoder(StepDecoder(), scores)][::12]
    [1, 1, 0]
    """
    n_clips = len(scores)
    try:
        every = decoder.at(scores, GRID.tolist(), tags)  # type: ignore[arg-type]
    except WsedError:  # hysteresis, or tags that are not known
        return ()
    points = []
    for i, threshold in enumerate(GRID.tolist()):
        own = every[(every.clip >= i * n_clips) & (every.clip < (i + 1) * n_clips)]
        moved = Events(own.clip - i * n_clips, own.label, own.onset, own.offset)
        points.append((threshold, moved))
    return tuple(points)


def of_detections(detections: Detections) -> tuple[tuple[float, Events], ...]:
    """The events above each of some thresholds, which are quantiles of the confidences."""
    values = detections.confidence.double().numpy()
    if not values.size:
        return ()
    steps = np.unique(np.quantile(values, np.linspace(0, 0.98, N_POINTS), method="lower"))
    below = np.append(-np.inf, steps[:-1])  # events above the value before: those from this value on
    return tuple((float(at), detections.above(float(low))) for at, low in zip(steps, below, strict=True))


def over_thresholds(shown: Shown) -> Plain | None:
    """Precision, recall and F1 at each threshold; None if there are no thresholds, or nothing to score against."""
    if len(shown.points) < 2 or shown.system is None:
        return None
    timed, n_labels = shown.timed(), len(shown.labels)
    true = keep(shown.true, timed)
    counts = [event_counts(true, keep(events, timed), n_labels) for _, events in shown.points]
    classes = {
        name: {part: [_rounded(per_class(count, part)[i]) for count in counts] for part in PARTS}
        for i, name in enumerate(shown.labels)
    }
    means = {
        "macro": {"f1": [_rounded(count.macro_f1) for count in counts]},
        "micro": {
            "precision": [_rounded(count.micro_precision) for count in counts],
            "recall": [_rounded(count.micro_recall) for count in counts],
            "f1": [_rounded(count.micro_f1) for count in counts],
        },
    }
    for part in ("precision", "recall"):
        means["macro"][part] = [_rounded(_mean(per_class(count, part))) for count in counts]
    return {"thresholds": [at for at, _ in shown.points], "classes": classes, **means}


PARTS = ("precision", "recall", "f1")


def per_class(counts: Counts, part: str) -> Sequence[float]:
    """Precision, recall or F1 of each class."""
    values = {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}[part]
    return [float(value) for value in values]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _rounded(value: float) -> float:
    return round(float(value), 4)
