"""Calibration on validation clips: confidences become probabilities, and thresholds follow from precision or recall.

A detection is correct if true events of its class cover at least half of it; an event is detected if correct detections
cover at least half of it. If only tags are known, a detection is correct if its clip has the tag, and a tag is detected
if the clip has a detection. `best.calibration.yaml` beside `best.ckpt` holds the SHA-256 of the checkpoint, like the
file of the tuned decoder.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import yaml

from wsed.decoding import Decoder
from wsed.errors import WsedError
from wsed.files import write_text
from wsed.text import read_yaml
from wsed.tuned import digest
from wsed.types import Labels


@dataclass(frozen=True)
class ClassCalibration:
    """The calibration of one class.

    Attributes:
        thresholds: the thresholds that were tried, rising.
        precision: share of correct detections at each threshold; 1 without detections.
        recall: share of events (or tags) that are detected at each threshold.
        scores: rising confidences of the decoder.
        confidences: share of correct detections at each of the `scores`; interpolated linearly in between.
    """

    thresholds: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    scores: tuple[float, ...]
    confidences: tuple[float, ...]

    def for_precision(self, wanted: float) -> float | None:
        """The lowest threshold that detects something and reaches a precision; None if no threshold does."""
        rows = zip(self.thresholds, self.precision, self.recall, strict=True)
        return next((threshold for threshold, precision, recall in rows if precision >= wanted and recall > 0), None)

    def for_recall(self, wanted: float) -> float | None:
        """The highest threshold that reaches a recall; None if no threshold does."""
        rows = zip(reversed(self.thresholds), reversed(self.recall), strict=True)
        return next((threshold for threshold, recall in rows if recall >= wanted), None)


@dataclass(frozen=True)
class Calibration:
    """The calibration of a network and its decoder, measured on validation clips.

    Attributes:
        classes: the calibration of each class, by its name.
        decoder: plain values of the decoder, without the threshold.
    """

    classes: Mapping[str, ClassCalibration]
    decoder: Mapping[str, object]

    def confidence(self, label: str, score: float) -> float:
        """The share of the detections with this class and score that are correct.

        >>> one = ClassCalibration((0.5,), (0.8,), (0.6,), (0.2, 0.8), (0.0, 0.9))
        >>> round(Calibration({"Dog": one}, {}).confidence("Dog", 0.6), 3)
        0.6
        """
        known = self.classes[label]
        return float(np.interp(score, known.scores, known.confidences))

    def thresholds(
        self, decoder: Decoder, labels: Labels, precision: float | None = None, recall: float | None = None
    ) -> tuple[list[float], list[str]]:
        """The threshold of each class for a wanted precision or recall, and a note for each class that cannot reach it.

        Args:
            decoder: its threshold is kept for a class that cannot reach the wanted value.
            labels: the classes.
            precision: the wanted precision; None if `recall` is given.
            recall: the wanted recall.
        """
        before = np.broadcast_to(decoder.threshold, len(labels)).tolist()
        thresholds, notes = [], []
        for name, usual in zip(labels, before, strict=True):
            known = self.classes[name]
            what, wanted = ("recall", recall) if precision is None else ("precision", precision)
            value = known.for_recall(wanted or 0.0) if precision is None else known.for_precision(precision)
            if value is None:
                best = max((p for p, r in zip(known.precision, known.recall, strict=True) if r > 0), default=0.0)
                best = max(known.recall) if precision is None else best
                notes.append(f"{name}: no threshold reaches {what} {wanted:g} (at most {best:.2f}), kept {usual:g}")
            thresholds.append(usual if value is None else value)
        return thresholds, notes

    def values(self) -> dict[str, object]:
        """The calibration as plain values.

        >>> Calibration({}, {"low": None}).values()
        {'classes': {}, 'decoder': {'low': None}}
        """
        classes = {name: {key: list(row) for key, row in asdict(one).items()} for name, one in self.classes.items()}
        return {"classes": classes, "decoder": dict(self.decoder)}

    def digest(self) -> str:
        """The SHA-256 of the values.

        >>> Calibration({}, {}).digest() == Calibration({}, {"low": None}).digest()
        False
        """
        return hashlib.sha256(json.dumps(self.values(), sort_keys=True).encode()).hexdigest()

    def write(self, checkpoint: str | Path) -> Path:
        """Write the file beside a checkpoint and return its path."""
        path = calibration_file(checkpoint)
        content = self.values() | {"checkpoint": digest(checkpoint)}
        write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
        return path


def calibration_file(checkpoint: str | Path) -> Path:
    """The path of the calibration of a checkpoint."""
    return Path(checkpoint).with_suffix(".calibration.yaml")


def read_calibration(checkpoint: str | Path, decoder: Decoder) -> Calibration | None:
    """The calibration of a checkpoint with a decoder; None if there is none for these weights and this decoder.

    Raises:
        WsedError: the file is damaged.
    """
    path = calibration_file(checkpoint)
    if not path.is_file():
        return None
    content = read_yaml(path)
    try:
        assert isinstance(content, dict)
        known = content["checkpoint"] == digest(checkpoint) and content["decoder"] == settings_of(decoder)
        calibration = calibration_of(content)
    except (AssertionError, KeyError, TypeError, AttributeError):
        raise WsedError(f"{path} is damaged: delete it, and calibrate with `wsed validate` again") from None
    return calibration if known else None


def calibration_of(values: Mapping[str, object]) -> Calibration:
    """The calibration with these plain values.

    Raises:
        AssertionError, KeyError, TypeError, AttributeError: the values are not those of a calibration.
    >>> calibration_of({"classes": {}, "decoder": {"low": None}})
    Calibration(classes={}, decoder={'low': None})
    """
    rows, decoder = values["classes"], values["decoder"]
    assert isinstance(rows, dict)
    assert isinstance(decoder, dict)
    classes = {
        str(name): ClassCalibration(**{key: tuple(row) for key, row in one.items()}) for name, one in rows.items()
    }
    return Calibration(classes, decoder)


def settings_of(decoder: Decoder) -> dict[str, object]:
    """The plain values of a decoder without its threshold."""
    return {name: value for name, value in decoder.values().items() if name != "threshold"}
