"""Metrics by `psds_eval`, from tables of events."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from wsed.metrics.base import MetricValue
from wsed.metrics.pairs import Columns
from wsed.metrics.psds import PSDSParameters
from wsed.metrics.system import TimedClips
from wsed.scoring.official.inputs import Inputs, Values, clashes, clip_name, f1_of, inputs_of, points_of, refuse
from wsed.types import Labels

if TYPE_CHECKING:
    from pandas import DataFrame
    from psds_eval import PSDSEval


def by_psds_eval(
    package: ModuleType, detections: TimedClips, labels: Labels, scenarios: Mapping[str, PSDSParameters]
) -> Values:
    """The metrics of `official_metrics`, by `psds_eval`."""
    inputs = inputs_of(detections, labels, "psds_eval")
    known = inputs.known
    values: Values = dict.fromkeys(("event_f1", "segment_f1", "tagging_f1", *scenarios))
    # Only classes with reference are passed: for others, the package reads uninitialised memory.
    truth = {"ground_truth": _event_table(inputs.ref), "metadata": _clip_table(inputs)}
    f1: dict[int, float] = {}
    if known.size:
        by_name = package.PSDSEval(0.5, 0.5, **truth).compute_macro_f_score(_event_table(inputs.detected))[1]
        f1 = {k: float(np.nan_to_num(by_name[str(k)])) for k in known.tolist()}
    values["intersection_f1"] = f1_of(f1, float("nan"), labels)
    if inputs.seconds is None or not detections.points:
        return values
    points = points_of(detections, inputs)
    for point in points:
        refuse(point, clashes(point, touching=False), "events of an operating point overlap", labels, "psds_eval")
    for name, p in scenarios.items():
        if not known.size:
            values[name] = MetricValue({"value": float("nan")})
        elif known.size > 1 and p.alpha_ct <= 1:
            evaluation = package.PSDSEval(p.dtc, p.gtc, p.cttc or 0.3, **truth)
            values[name] = MetricValue({"value": _points_psds(evaluation, points, p)})
    return values


def _points_psds(evaluation: "PSDSEval", points: Iterable[Columns], p: PSDSParameters) -> float:
    for point in points:
        evaluation.add_operating_point(_event_table(point))
    return float(evaluation.psds(p.alpha_ct, p.alpha_st, p.max_efpr).value)


def _event_table(events: Columns) -> "DataFrame":
    clips, names = [clip_name(clip) for clip in events.clip.tolist()], [str(k) for k in events.label.tolist()]
    times = {"onset": events.onset, "offset": events.offset}
    return import_module("pandas").DataFrame({"filename": clips, **times, "event_label": names})


def _clip_table(inputs: Inputs) -> "DataFrame":
    """Seconds of the clips; if they are not known, each clip lasts until its last event ends."""
    seconds = inputs.seconds
    if seconds is None:
        seconds = np.ones(inputs.n_clips)
        for side in (inputs.ref, inputs.detected):
            np.maximum.at(seconds, side.clip, side.offset)
    names = [clip_name(clip) for clip in range(inputs.n_clips)]
    return import_module("pandas").DataFrame({"filename": names, "duration": seconds})
