"""Scores of any system's output files, and the comparison of two: what `wsed evaluate` does."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Bool
from torch import Tensor

from wsed.errors import WsedError
from wsed.metrics.bootstrap import Method
from wsed.metrics.detections import Detections, Tags
from wsed.metrics.official import BACKENDS, official_figures
from wsed.metrics.scores import SCENARIOS, System, comparison, intervals
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
    method: Method = "percentile",
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
        labels: the classes; default: those of the reference.
        threshold: operating point of the F1 figures, where the predictions hold several.
        backend: who computes the figures; intervals are always our own.
        resamples, level, method, seed: of the bootstrap over clips; 0 resamples: no intervals, no comparison.
        progress: wrapped around long loops, with a word for what is done.

    Returns:
        The keys of `System.figures`, `intervals`, what was read, and `notes`: counted warnings about the input. Of two
        systems: `systems`, a list of two such reports, and `comparison` (second minus first, interval and p).

    Raises:
        WsedError: a file that cannot be understood, with file and row; or a backend that is not installed.
    """
    if backend not in ("native", *BACKENDS):
        raise WsedError(f"the backend is native, {' or '.join(BACKENDS)}, not {backend!r}")
    paths = [predictions] if isinstance(predictions, str | Path) else list(predictions)
    if len(paths) not in (1, 2):
        raise WsedError(f"one system is scored or two are compared, not {len(paths)}")
    truth = read_reference(reference, durations, None if labels is None else Labels(labels))
    outputs = [read_outputs(path, truth, progress=progress) for path in paths]
    systems = [system_of(truth, each, threshold) for each in outputs]
    drawn: dict[str, Any] = {"resamples": resamples, "level": level, "method": method, "seed": seed}
    reports = []
    for each, system in zip(outputs, systems, strict=True):
        report = {"reference": str(reference), **_read(truth, each, threshold), "backend": backend}
        report |= system.figures(rocs=True) | _official(system, backend)
        if resamples:
            report["intervals"] = intervals(system, **drawn, progress=lambda all_: progress(all_, "resampling"))
        reports.append(report)
    if len(reports) == 1:
        return reports[0]
    found: dict[str, Any] = {"systems": reports}
    if resamples:
        found["comparison"] = comparison(*systems, **drawn, progress=lambda all_: progress(all_, "comparing"))
    return found


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
    elif outputs.kind == "events":
        notes.append("no PSDS: it needs a folder of operating points or of frame scores, not events at one threshold")
    return {
        "predictions": outputs.name,
        "kind": outputs.kind,
        "operating_points": len(outputs.thresholds) or None,
        "threshold": outputs.taken(threshold),
        "clips": len(reference.clip_ids),
        "reference_events": len(reference.events),
        "labels": list(reference.labels),
        "notes": notes,
    }


def _official(system: System, backend: Backend) -> dict[str, Any]:
    """What a package says of the same system, in the place of our own figures; None where it says nothing."""
    if backend == "native" or system.detections is None:
        return {}
    return official_figures(backend, system.detections.joined, system.tags, system.labels, SCENARIOS)
