"""Evaluation of the output files of any system, and comparison of two systems; behind `wsed evaluate`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol, TypeVar, runtime_checkable

from jaxtyping import Bool
from torch import Tensor

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.metrics.base import Metric, MetricValue
from wsed.metrics.bootstrap import Method
from wsed.metrics.chosen import chosen_metrics
from wsed.metrics.f1 import F1
from wsed.metrics.groups import Groups
from wsed.metrics.joined import joined
from wsed.metrics.psds_metrics import PSDSMetric
from wsed.metrics.system import System, TimedClips
from wsed.scoring.facts import Input
from wsed.scoring.formats.annotated import read_annotated
from wsed.scoring.formats.groups import read_groups
from wsed.scoring.formats.predictions import Predictions, read_predictions
from wsed.scoring.formats.reference import Reference, read_reference
from wsed.scoring.formats.thresholds import PerLabel, Threshold, per_label
from wsed.scoring.official import Package, official_metrics
from wsed.scoring.report import ComparedReports, Report
from wsed.scoring.resampling import (
    Comparison,
    Intervals,
    Resampling,
    Sampled,
    by_group,
    compare_samples,
    resample,
    samples,
)
from wsed.scoring.score import score
from wsed.scoring.seeds import SeedReports
from wsed.truth import Truth, tags_of
from wsed.types import Events, Labels

Backend = Literal["native"] | Package
T = TypeVar("T")


@runtime_checkable
class Progress(Protocol):
    """Shows the progress of a long loop."""

    def __call__(self, items: Iterable[T], what: str, /) -> Iterable[T]:
        """Iterate over the items; `what` describes what is done with them."""


def silent(items: Iterable[T], _what: str) -> Iterable[T]:
    """Iterate without showing progress.

    >>> list(silent([1, 2], "reading"))
    [1, 2]
    """
    return items


@checked
def evaluate(
    reference: str | Path,
    predictions: str | Path | Sequence[str | Path],
    *,
    durations: str | Path | None = None,
    labels: Sequence[str] | None = None,
    threshold: Threshold = None,
    annotated: str | Path | None = None,
    seeds: bool = False,
    backend: Backend = "native",
    resamples: int = 1000,
    level: float = 0.95,
    method: Method = "centred",
    seed: int = 0,
    metrics: Sequence[str] | Mapping[str, Metric] | None = None,
    groups: str | Path | None = None,
    progress: Progress = silent,
) -> Report | ComparedReports | SeedReports:
    r"""Score the predictions of a system, or compare two systems; public as `wsed.evaluate`.

    Args:
        reference: table of true events, `filename, onset, offset, event_label`.
        predictions: a table of events; or a folder of such tables, one per threshold, with the threshold in the file
            name; or a folder of score tables, one per clip (`onset, offset, <class>, ...`, the format of
            sed_scores_eval); or `frame_scores.npz` of a run. A list of two is compared.
        durations: table `filename, duration`; needed for PSDS.
        labels: the classes; those of the reference if None.
        threshold: operating point of the F1 metrics, if the predictions have several, or a mapping with that of each
            class (0.5 for other classes); None: 0.5, or all events if they have confidences.
        annotated: table `filename, event_labels` of the classes that were annotated in each clip, if those differ; see
            `wsed.scoring.formats.annotated`.
        seeds: whether the predictions are of one system after trainings with different seeds, any number of them.
        backend: the code that computes the metrics: `native` or a package. A metric that the package does not compute
            is None. Intervals and comparisons are always native, for the metrics that the package computes.
        resamples: number of resamples of the bootstrap over clips; with 0 there are no intervals and no comparison.
        level: confidence level of the intervals.
        method: method of the intervals; see `wsed.metrics.bootstrap.bootstrap`.
        seed: seed of the resamples.
        metrics: names of registered metrics, such as `["onset_f1", "event_f1:onset_collar=0.5"]`, or a mapping of names
            to metrics; the default metrics if None.
        groups: draw whole groups of clips for intervals and comparison, such as the clips of a patient: a table
            with `filename` and the group, a `provenance.tsv` of `wsed data synth`, or the name of a column of the
            reference. If None, each clip is drawn by itself.
        progress: wrapped around long loops.

    Returns:
        The report: `report.value("event_f1/macro")` is a number, and `report["event_f1"]` is a part of its JSON file.
        For two systems, both reports and their comparison (second minus first); for seeds, all reports.

    Raises:
        WsedError: a file is malformed (the message names file and row), or the backend is not installed.

    >>> import tempfile
    >>> rows = "filename\tonset\toffset\tevent_label\na.wav\t1.0\t2.0\tdog\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "events.tsv")
    ...     _ = path.write_text(rows, encoding="utf-8")
    ...     evaluate(path, path, resamples=0).value("event_f1/macro")
    1.0
    """
    paths = [predictions] if isinstance(predictions, str | Path) else list(predictions)
    if len(paths) not in (1, 2) and not (seeds and paths):
        raise WsedError(
            f"pass one system to score it, or two to compare them, not {len(paths)}; for seeds of one system set seeds"
        )
    if isinstance(labels, str):
        raise WsedError(f"labels must be a list of names, not {labels!r}")
    truth = read_reference(reference, durations, None if labels is None else Labels(labels))
    known = None if annotated is None else read_annotated(annotated, truth.clip_ids, truth.labels)
    limits = per_label(threshold, truth.labels)
    how, chosen = Resampling(resamples, level, method, seed), metrics
    if not isinstance(chosen, Mapping):
        chosen = chosen_metrics(chosen)
    drawn_together = None if groups is None else read_groups(groups, reference, truth.clip_ids)
    of_known = (
        drawn_together if known is None or drawn_together is None else drawn_together.select(known.any(1).numpy())
    )
    reports: list[Report] = []
    drawn: list[list[Sampled]] = []
    for each in [read_predictions(path, truth, progress=progress) for path in paths]:
        system = system_of_files(truth, each, limits, known)
        has_psds = any("psds" in metric.needs for metric in chosen.values())
        facts = _input(str(reference), truth, each, limits, known, backend, has_psds)
        sampled = samples(system, chosen) if resamples else []  # first, since scores then use the parts of a PSDS
        report = score(system, chosen) if backend == "native" else _official(system, backend, chosen)
        notes = (
            *facts.notes,
            *_backend_notes(system, backend, report),
            *_group_notes(of_known, resamples, seeds),
        )
        report = replace(report, input=replace(facts, notes=notes))
        if resamples:
            drawn.append(sampled if drawn_together is None else by_group(sampled, drawn_together))
            intervals = resample(drawn[-1], how, lambda every: progress(every, "resampling"))
            intervals = replace(intervals, groups=0 if of_known is None else len(of_known))
            report = replace(report, intervals=_of_computed(intervals, report))
        reports.append(report)
    if seeds:
        return SeedReports(tuple(reports))
    if len(reports) == 1:
        return reports[0]
    comparison = None
    if resamples:
        comparison = compare_samples(drawn[0], drawn[1], how, lambda every: progress(every, "comparing"))
        both = reports[0].computed.keys() & reports[1].computed.keys()
        kept = {name: rows for name, rows in comparison.differences.items() if name in both}
        comparison = Comparison(how, kept)
    return ComparedReports((reports[0], reports[1]), comparison)


def system_of_files(
    reference: Reference,
    predictions: Predictions,
    threshold: PerLabel,
    known: Bool[Tensor, "clip label"] | None = None,
) -> System:
    """A system from files; the tags of a clip are the classes of its events, on both sides.

    Args:
        reference: true events of all clips.
        predictions: predictions of the system.
        threshold: operating point of the F1 metrics, or that of each class.
        known: classes that were annotated in each clip; all if None.
    """
    n_clips, n_labels = len(reference.clip_ids), len(reference.labels)
    detected = predictions.detected(threshold)
    truth = Truth.of_events(reference.events, n_clips, n_labels)
    return System(
        reference.labels,
        truth if known is None else replace(truth, tagged=known, timed=known),
        detected,
        reference.durations,
        predictions.scores,
        predictions.points if predictions.kind == "operating points" else (),
        tags_of(detected, n_clips, n_labels),
        predictions.clip_scores(n_clips, n_labels),
        thresholds=predictions.thresholds,
    )


def _input(
    path: str,
    reference: Reference,
    predictions: Predictions,
    threshold: PerLabel,
    known: Bool[Tensor, "clip label"] | None,
    backend: Backend,
    has_psds: bool,
) -> Input:
    notes = [*reference.notes, *predictions.notes]
    if known is not None and (out := int((~known[reference.events.clip, reference.events.label]).sum())):
        notes.append(f"true events of classes that --annotated does not list for their clip, left out: {out}")
    at_one = predictions.kind == "events" and predictions.boxes is None
    if has_psds and (reference.durations is None or at_one):
        lacks = ["the duration of every clip (--durations)"] if reference.durations is None else []
        lacks += ["a column confidence in the table, a folder of operating points, or frame scores"] if at_one else []
        notes.append(f"no PSDS: it needs {', and '.join(lacks)}")
    if reference.durations is None:
        notes += _other_unit(reference, predictions.detected(threshold))
    if predictions.boxes is not None and threshold is not None:
        low = len(predictions.boxes) - len(predictions.boxes.above(threshold))
        if low:
            limit = "their threshold" if isinstance(threshold, tuple) else f"{threshold:g}"
            notes.append(f"events of a confidence of {limit} or less, which F1 does not count (--threshold): {low}")
    used = predictions.used_threshold(threshold)
    return Input(
        reference=path,
        predictions=predictions.name,
        kind=predictions.kind,
        operating_points=predictions.thresholds or None,
        threshold=dict(zip(reference.labels, used, strict=True)) if isinstance(used, tuple) else used,
        reference_events=len(reference.events),
        labels=tuple(reference.labels),
        notes=tuple(notes),
        backend=backend,
    )


def _official(system: System, backend: Package, metrics: Mapping[str, Metric]) -> Report:
    """The metrics of the system by a package; None for a metric that the package does not compute."""
    clips = system.need_timed()
    scenarios = {name: metric.parameters for name, metric in metrics.items() if isinstance(metric, PSDSMetric)}
    computed = official_metrics(backend, _joint(system), system.tagged, system.labels, scenarios)
    values: dict[str, MetricValue | None] = {}
    for name, metric in metrics.items():
        value = computed.get(name)
        if value is not None and isinstance(metric, F1):
            n_ref = metric.counts(system).n_ref
            per_class = {
                label: {**value.per_class[label], "n_ref": int(n_ref[i])} for i, label in enumerate(system.labels)
            }
            value = MetricValue({**value.numbers, "n_ref": int(n_ref.sum())}, per_class)
        if isinstance(metric, F1 | PSDSMetric):
            values[name] = value
    return Report(clips.n_clips, values)


def _joint(system: System) -> TimedClips:
    """The clips with overlapping and touching events of a class joined, for packages that refuse such events."""
    clips = system.need_timed()
    sides = clips.reference, clips.detected, *clips.points
    reference, detected, *points = (joined(side, touching=True) for side in sides)
    return replace(clips, reference=reference, detected=detected, points=tuple(points))


def _backend_notes(system: System, backend: str, report: Report) -> list[str]:
    if backend == "native":
        return []
    notes, clips, joint = [], system.need_timed(), _joint(system)
    if len(joint.reference) < len(clips.reference) or len(joint.detected) < len(clips.detected):
        notes.append(
            f"{backend} takes no events of one class that overlap or touch: they are joined for all its metrics"
        )
    missing = [name for name, value in report.metrics.items() if value is None]
    if missing:
        notes.append(f"{backend} does not compute {', '.join(missing)} from these predictions")
    return notes


def _group_notes(groups: Groups | None, resamples: int, seeds: bool) -> list[str]:
    if groups is None or not resamples:
        return []
    several = "; some clips are in several: intervals are rather wide" if groups.overlap else ""
    where = "; of each seed by itself, in the JSON file only: the table has deviations over seeds" if seeds else ""
    return [f"intervals by {len(groups)} groups of {len(groups.places)} clips{several}{where}"]


def _of_computed(intervals: Intervals, report: Report) -> Intervals:
    """The intervals of the metrics that the report has."""
    kept = {name: rows for name, rows in intervals.ranges.items() if name in report.computed}
    return replace(intervals, ranges=kept)


def _other_unit(reference: Reference, detected: Events) -> list[str]:
    """A note if the detected events are probably in milliseconds."""
    last = [float(events.offset.max()) if len(events) else 0.0 for events in (reference.events, detected)]
    if last[1] < 20 * last[0]:
        return []
    return [f"detected events end at {last[1]:g} s, true ones at {last[0]:g} s: are the predictions in milliseconds?"]
