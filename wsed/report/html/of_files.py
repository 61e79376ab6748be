"""What a report shows of the files of a system, as `wsed evaluate` reads them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from wsed.data import sound_files
from wsed.errors import WsedError
from wsed.report.html.shown import Shown, Sound
from wsed.report.html.thresholds import GRID, of_detections
from wsed.scoring.evaluate import Progress, evaluate, silent, system_of_files
from wsed.scoring.formats.annotated import read_annotated
from wsed.scoring.formats.groups import read_groups
from wsed.scoring.formats.predictions import Predictions, read_predictions
from wsed.scoring.formats.reference import Reference, read_reference
from wsed.scoring.report import Report
from wsed.types import Events, Labels


@dataclass(frozen=True)
class Files:
    """What is known about the clips of files.

    Args:
        reference: table of true events; None: nothing is known.
        durations: table of durations.
        labels: the classes; those of the reference if None.
        audio: folder of the sounds; None: no sound.
        threshold: operating point of the F1 metrics; None: 0.5, or all events if they have confidences.
        resamples: number of resamples of the intervals.
        annotated: table of the classes that were annotated in each clip; None: all.
        groups: table or column of the reference with the groups of clips that are drawn together; None: single clips.
    """

    reference: Path | None = None
    durations: Path | None = None
    labels: Sequence[str] | None = None
    audio: Path | None = None
    threshold: float | None = None
    resamples: int = 1000
    annotated: Path | None = None
    groups: str | None = None


def of_files(path: Path, files: Files, progress: Progress = silent) -> Shown:
    """What a report shows of the files of a system; without a reference, only its events.

    Raises:
        WsedError: a file is malformed, or there is no reference and the predictions are not events.
    """
    labels = None if files.labels is None else Labels(files.labels)
    if files.reference is None:
        return _events_only(path, files, labels)
    reference = read_reference(files.reference, files.durations, labels)
    predictions = read_predictions(path, reference, progress)
    report = evaluate(
        files.reference,
        path,
        durations=files.durations,
        labels=files.labels,
        threshold=files.threshold,
        annotated=files.annotated,
        groups=files.groups,
        resamples=files.resamples,
        progress=progress,
    )
    assert isinstance(report, Report)
    frames = predictions.scores if predictions.kind == "frame scores" else None
    at = predictions.used_threshold(files.threshold)
    known = None
    if files.annotated is not None:
        known = read_annotated(files.annotated, reference.clip_ids, reference.labels)
    system = system_of_files(reference, predictions, files.threshold, known)
    shown = _shown(path, reference, predictions, files)
    return replace(
        shown,
        system=system,
        report=report,
        curves=frames,
        scores=frames,
        thresholds=() if at is None else at if isinstance(at, tuple) else (at,) * len(reference.labels),
        points=_points(predictions),
        groups=None if files.groups is None else read_groups(files.groups, files.reference, reference.clip_ids),
        notes=(*(report.input.notes if report.input else ()), *shown.notes),
    )


def _events_only(path: Path, files: Files, labels: Labels | None) -> Shown:
    try:
        reference = read_reference(path, files.durations, labels)
    except WsedError as error:
        raise WsedError(f"{error} (give --reference TSV: without it only tables of events are shown)") from None
    shown = _shown(path, reference, read_predictions(path, reference), files)
    return replace(shown, notes=("nothing to score against: no --reference", *shown.notes))


def _shown(path: Path, reference: Reference, predictions: Predictions, files: Files) -> Shown:
    """The clips, their sounds and all detected events."""
    sounds: dict[str, Sound] = {}
    notes: tuple[str, ...] = ("no sound: give the folder of the clips with --audio",)
    if files.audio is not None:
        if not sound_files.is_folder(files.audio):
            raise WsedError(f"no such folder of sounds: {files.audio}")
        places = sound_files.locate(files.audio, reference.clip_ids)
        sounds = {name: Sound(place) for name, place in places.items() if sound_files.is_file(place)}
        missing = len(reference.clip_ids) - len(sounds)
        notes = (f"clips without a sound file in {files.audio}: {missing}",) if missing else ()
    threshold = files.threshold if files.reference is not None else None
    return Shown(
        name=str(path),
        labels=reference.labels,
        clip_ids=reference.clip_ids,
        detected=predictions.detected(threshold),
        confidence=_confidence(predictions, threshold),
        durations=reference.durations,
        sounds=sounds,
        notes=notes,
    )


def _confidence(predictions: Predictions, threshold: float | None) -> Float[Tensor, " event"] | None:
    boxes, at = predictions.boxes, predictions.used_threshold(threshold)
    if boxes is None:
        return None
    return boxes.confidence if at is None else boxes.confident(at).confidence


def _points(predictions: Predictions) -> tuple[tuple[float, Events], ...]:
    """The events at some thresholds."""
    if predictions.boxes is not None:
        return of_detections(predictions.boxes)
    if predictions.kind == "operating points":
        return tuple(zip(predictions.thresholds, predictions.points, strict=True))
    if predictions.kind == "frame scores":
        return tuple((at, predictions.detected(at)) for at in GRID.tolist())
    return ()
