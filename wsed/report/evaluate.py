"""Scores of any system's output files, and the comparison of two: what `wsed evaluate` does."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Bool
from torch import Tensor

from wsed.errors import WsedError
from wsed.metrics.bootstrap import Method
from wsed.metrics.detections import Detections, Tags
from wsed.metrics.joined import joined
from wsed.metrics.official import BACKENDS, official_figures
from wsed.metrics.scores import FIGURES, SCENARIOS, System, comparison, intervals
from wsed.report.outputs import Outputs, read_outputs
from wsed.report.reference import Reference, read_reference
from wsed.types import Events, Labels

Backend = Literal["native", "sed_scores_eval", "psds_eval"]
Progress = Callable[[Iterable[Any], str], Iterable[Any]]


def silent(items: Iterable[Any], _what: str) -> Iterable[Any]:
    """No progress is shown."""
    return items


def evaluate(
    reference: str | Path,
    predictions: str | Path | Sequence[str | Path],
    *,
    durations: str | Path | None = None,
    labels: Sequence[str] | None = None,
    threshold: float = 0.5,
    backend: Backend = "native",
    resamples: int = 1000,
    level: float = 0.95,
    method: Method = "centred",
    seed: int = 0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Score what a system said of some clips, or compare two systems; public as `wsed.evaluate`.

    Args:
        reference: table of true events, `filename, onset, offset, event_label`.
        predictions: a table of events; a folder of such tables, one a threshold, the threshold in the file name; or a
            folder of score tables, one a clip (`onset, offset, <class>, ...`, as sed_scores_eval writes them). Two of
            them, in a list, are compared.
        durations: table `filename, duration`; PSDS needs it.
        labels: the classes; None: those of the reference.
        threshold: operating point of the F1 figures, where the predictions hold several.
        backend: who computes the figures; what a package does not compute is None. Intervals and the comparison are
            always our own, of the figures that it does compute.
        resamples, level, method, seed: of the bootstrap over clips; 0 resamples: no intervals, no comparison.
        progress: wrapped around long loops, with a word for what is done.

    Returns:
        The keys of `System.figures`, `intervals`, what was read, and `notes`: counted warnings about the input. NaN is
        a score that does not exist. Of two systems: `systems`, a list of two such reports, and `comparison` (second
        minus first, interval and p).

    Raises:
        WsedError: a file that cannot be understood, with file and row; or a backend that is not installed.
    """
    if backend not in ("native", *BACKENDS):
        raise WsedError(f"the backend is native, {' or '.join(BACKENDS)}, not {backend!r}")
    paths = [predictions] if isinstance(predictions, str | Path) else list(predictions)
    if len(paths) not in (1, 2):
        raise WsedError(f"one system is scored or two are compared, not {len(paths)}")
    if isinstance(labels, str):
        raise WsedError(f"labels must be a list of names, not {labels!r}")
    if not math.isfinite(threshold):
        raise WsedError(f"the threshold must be a number, not {threshold}")
    truth = read_reference(reference, durations, None if labels is None else Labels(labels))
    outputs = [read_outputs(path, truth, progress=progress) for path in paths]
    systems = [system_of(truth, each, threshold) for each in outputs]
    drawn: dict[str, Any] = {"resamples": resamples, "level": level, "method": method, "seed": seed}
    reports = []
    for each, system in zip(outputs, systems, strict=True):
        report = {"reference": str(reference), **_read(truth, each, threshold), "backend": backend}
        report |= system.figures(rocs=True) if backend == "native" else _official(system, backend, report["notes"])
        if resamples:
            found = intervals(system, **drawn, progress=lambda all_: progress(all_, "resampling"))
            report["intervals"] = _computed(found, report)
        reports.append(report)
    if len(reports) == 1:
        return reports[0]
    both: dict[str, Any] = {"systems": reports}
    if resamples:
        found = comparison(*systems, **drawn, progress=lambda all_: progress(all_, "comparing"))
        both["comparison"] = _computed(_computed(found, reports[0]), reports[1])
    return both


def system_of(reference: Reference, outputs: Outputs, threshold: float) -> System:
    """A system's outputs beside the truth: a clip's classes are those of its events, on both sides.

    Args:
        reference: true events of all clips.
        outputs: what the system said.
        threshold: operating point of the F1 figures.
    """
    n_clips, n_labels = len(reference.clip_ids), len(reference.labels)
    detected = outputs.detected(threshold)
    points = outputs.points if outputs.kind == "operating points" else ()
    detections = Detections(n_labels, n_clips, reference.events, detected, reference.durations, outputs.scores, points)
    true, said = (_tags(events, n_clips, n_labels) for events in (reference.events, detected))
    return System(reference.labels, detections, Tags(true, said, outputs.clip_scores(n_clips, n_labels)))


def _tags(events: Events, n_clips: int, n_labels: int) -> Bool[Tensor, "clip label"]:
    table = torch.zeros(n_clips, n_labels, dtype=torch.bool)
    table[events.clip, events.label] = True
    return table


def _read(reference: Reference, outputs: Outputs, threshold: float) -> dict[str, Any]:
    notes = [*reference.notes, *outputs.notes]
    if reference.durations is None:
        notes.append("no PSDS: it needs the length of every clip; give --durations")
        notes += _other_unit(reference, outputs.detected(threshold))
    elif outputs.kind == "events":
        notes.append("no PSDS: it needs a folder of operating points or of frame scores, not events at one threshold")
    return {
        "predictions": outputs.name,
        "kind": outputs.kind,
        "operating_points": list(outputs.thresholds) or None,
        "threshold": outputs.taken(threshold),
        "clips": len(reference.clip_ids),
        "reference_events": len(reference.events),
        "labels": list(reference.labels),
        "notes": notes,
    }


def _official(system: System, backend: str, notes: list[str]) -> dict[str, Any]:
    """What a package says of the same system; None where it says nothing."""
    detections = system.detections
    assert detections is not None
    sides = detections.reference, detections.detected, *detections.points
    reference, detected, *points = (joined(side, touching=True) for side in sides)
    joint = replace(detections, reference=reference, detected=detected, points=tuple(points))
    if len(reference) < len(detections.reference) or len(detected) < len(detections.detected):
        notes.append(
            f"{backend} takes no events of one class that overlap or touch: they are joined for all its figures"
        )
    found = official_figures(backend, joint, system.tags, system.labels, SCENARIOS)
    for figure, _ in FIGURES:
        if found.get(figure) is not None:
            counts = system.counts(figure)
            for i, label in enumerate(system.labels):
                found[figure]["per_class"][label]["n_ref"] = int(counts.n_ref[i])
            found[figure]["n_ref"] = int(counts.n_ref.sum())
    missing = [name for name in (*(figure for figure, _ in FIGURES), *SCENARIOS) if found.get(name) is None]
    if missing:
        notes.append(f"{backend} does not compute {', '.join(missing)} from this")
    return found


def _computed(found: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    """Without the figures that the report does not have."""
    settings = ("resamples", "level", "method", "seed")
    return {key: value for key, value in found.items() if key in settings or report.get(key) is not None}


def _other_unit(reference: Reference, detected: Events) -> list[str]:
    """A word where times cannot be of the same unit."""
    last = [float(events.offset.max()) if len(events) else 0.0 for events in (reference.events, detected)]
    if last[1] < 20 * last[0]:
        return []
    return [f"detected events end at {last[1]:g} s, true ones at {last[0]:g} s: are the predictions in milliseconds?"]
