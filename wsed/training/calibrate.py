"""Calibration on validation clips: precision and recall by threshold, and what confidences mean."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from lightning.pytorch.utilities import rank_zero_info

from wsed.calibration import Calibration, ClassCalibration, settings_of
from wsed.decoding import Decoder
from wsed.decoding.base import replaced
from wsed.errors import WsedError
from wsed.literals import checked
from wsed.metrics.intersection import Criteria, lasting, share, sort_reference, summed
from wsed.metrics.pairs import columns
from wsed.truth import Truth
from wsed.types import Events, Labels
from wsed.values import Detections, Scores

Method = Literal["isotonic", "platt"]
Knots = tuple[tuple[float, ...], tuple[float, ...]]

GRID = tuple(twentieth / 20 for twentieth in range(1, 20))
"""Thresholds that are tried."""

FEW = 20
"""Detections of a class below which its confidences are calibrated with those of all classes together."""

HALF = Criteria(0.5, 0.5)


class _Point(NamedTuple):
    """The detections at one threshold, which of them are correct, and the recall of each class."""

    threshold: float
    label: Int[np.ndarray, " detection"]
    confidence: Float[np.ndarray, " detection"]
    right: Bool[np.ndarray, " detection"]
    recall: Float[np.ndarray, " label"]

    def precision(self, label: int) -> float:
        mine = self.right[self.label == label]
        return float(mine.mean()) if mine.size else 1.0


@checked
def check_scikit_learn(method: Method | None) -> None:
    """Refuse to calibrate by a method without the package that it needs.

    Raises:
        WsedError: scikit-learn is not installed.

    >>> check_scikit_learn(None)
    """
    if method is not None and find_spec("sklearn") is None:
        raise WsedError('evaluation.calibration needs scikit-learn: pip install "wsed[calibration]"')


@checked
def calibrate_checkpoint(
    checkpoint: str | Path, decoder: Decoder, scores: Scores, truth: Truth, labels: Labels, method: Method
) -> None:
    """Calibrate, and write the result beside a checkpoint; of a network that detects nothing, a note says why not."""
    try:
        calibrate(decoder, scores, truth, labels, method).write(checkpoint)
    except WsedError as error:
        rank_zero_info(f"confidences are not calibrated: {error}")


@checked
def calibrate(decoder: Decoder, scores: Scores, truth: Truth, labels: Labels, method: Method) -> Calibration:
    """Precision and recall at many thresholds, and the share of correct detections by confidence.

    Args:
        decoder: the decoder; its own threshold is not used.
        scores: scores of validation clips.
        truth: events, or tags where no events are known; classes that are not known in a clip do not count there.
        labels: the classes.
        method: isotonic regression, or the logistic curve of Platt.

    Raises:
        WsedError: nothing is known of the clips, or scikit-learn is not installed.
    """
    if not bool(truth.timed.any()) and not bool(truth.tagged.any()):
        raise WsedError("evaluation.calibration needs validation clips with events or tags, but none are known")
    points = [_at(tried, scores, truth) for tried in _tried(decoder)]
    if not sum(point.label.size for point in points):
        raise WsedError("evaluation.calibration: nothing is detected at any threshold; train longer")
    label, confidence, right = (np.concatenate(column) for column in zip(*(p[1:4] for p in points), strict=True))
    together = _fit(confidence, right, method)
    classes = {}
    for i, name in enumerate(labels):
        mine = label == i
        confidences, shares = _fit(confidence[mine], right[mine], method) if mine.sum() >= FEW else together
        precision = tuple(point.precision(i) for point in points)
        recall = tuple(float(point.recall[i]) for point in points)
        thresholds = tuple(point.threshold for point in points)
        classes[name] = ClassCalibration(thresholds, precision, recall, confidences, shares)
    return Calibration(classes, settings_of(decoder))


def _tried(decoder: Decoder) -> list[Decoder]:
    """The decoder at each threshold of the grid; with hysteresis, not below `low`."""
    decoders = []
    for threshold in GRID:
        try:
            decoders.append(replaced(decoder, {"threshold": threshold}))
        except WsedError:
            continue
    return decoders


def _at(decoder: Decoder, scores: Scores, truth: Truth) -> _Point:
    timed = bool(truth.timed.any())
    detections = decoder(scores, truth.tags if decoder.tags == "oracle" else None)
    events = detections.events
    detections = detections[
        (truth.timed if timed else truth.tagged)[events.clip, events.label] & (events.offset > events.onset)
    ]
    right, recall = _by_events(detections, truth) if timed else _by_tags(detections, truth)
    threshold = decoder.threshold
    assert isinstance(threshold, float)
    return _Point(threshold, detections.events.label.numpy(), detections.confidence.double().numpy(), right, recall)


def _by_events(
    detections: Detections, truth: Truth
) -> tuple[Bool[np.ndarray, " detection"], Float[np.ndarray, " label"]]:
    """Which detections are correct: true events cover half or more; and the share of events half covered by these."""
    n = truth.tags.shape[1]
    reference: Events = truth.events[truth.timed[truth.events.clip, truth.events.label]]
    ref, est = sort_reference(lasting(columns(reference, n))), columns(detections.events, n)
    shared = share(ref, est, n, HALF)
    covered = summed(shared.pair_event, shared.pair_seconds, ref.clip.size)
    reached = HALF.reached(0.5, covered, ref.offset - ref.onset)
    return shared.relevant, _share(np.bincount(ref.label[reached], minlength=n), np.bincount(ref.label, minlength=n))


def _by_tags(
    detections: Detections, truth: Truth
) -> tuple[Bool[np.ndarray, " detection"], Float[np.ndarray, " label"]]:
    """Which detections are of a class tagged on their clip, and the share of tags with a detection."""
    events = detections.events
    has_detection = np.zeros(tuple(truth.tags.shape), dtype=np.bool_)
    has_detection[events.clip.numpy(), events.label.numpy()] = True
    true = (truth.tags & truth.tagged).numpy()
    return truth.tags[events.clip, events.label].numpy(), _share((true & has_detection).sum(0), true.sum(0))


def _share(part: np.ndarray, whole: np.ndarray) -> Float[np.ndarray, " label"]:
    share_of: Float[np.ndarray, " label"] = (part / np.maximum(whole, 1)).astype(np.float64)
    return share_of


def _fit(confidence: Float[np.ndarray, " detection"], right: Bool[np.ndarray, " detection"], method: Method) -> Knots:
    """The share of correct detections by confidence, as points of a curve."""
    check_scikit_learn(method)
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression

    if method == "isotonic" or right.all() or not right.any():
        fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(confidence, right.astype(np.float64))
        return _plain(fitted.X_thresholds_), _plain(fitted.y_thresholds_)
    places = np.linspace(0, 1, 51)
    curve = LogisticRegression(C=1e6).fit(confidence[:, None], right).predict_proba(places[:, None])[:, 1]
    return _plain(places), _plain(curve)


def _plain(values: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in values)
