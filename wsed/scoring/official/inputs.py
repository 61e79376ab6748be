"""Inputs and results of the packages.

Clips and classes are passed by their numbers, since a class may be named "onset" or have a backslash in its name.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from wsed.errors import WsedError
from wsed.metrics.base import MetricValue
from wsed.metrics.intersection import lasting
from wsed.metrics.pairs import Columns, columns
from wsed.metrics.psds_reference import Reference
from wsed.metrics.system import TimedClips
from wsed.types import Labels

Classes = Int[np.ndarray, " known"]


def clip_name(clip: int) -> str:
    """The name under which a clip is passed to a package.

    >>> clip_name(3)
    '00000003'
    """
    return f"{clip:08d}"


Values = dict[str, MetricValue | None]
"""Metrics by name; None if the package does not compute the metric from these inputs."""


class Inputs(NamedTuple):
    """Events that a package accepts, and the seconds of each clip; None if they are not known."""

    ref: Columns
    detected: Columns
    n_clips: int
    labels: Labels
    seconds: Float[np.ndarray, " clip"] | None

    @property
    def known(self) -> Classes:
        """The classes with reference."""
        return np.unique(self.ref.label)


def inputs_of(detections: TimedClips, labels: Labels, backend: str) -> Inputs:
    """The inputs of a package; a `WsedError` if it does not take these events."""
    if detections.timed is not None:
        raise WsedError(f"{backend} does not take clips with unknown classes: use --backend native")
    sides = []
    for who, events in (("reference", detections.reference), ("detected", detections.detected)):
        table = columns(events, detections.n_labels)
        wrong = np.flatnonzero((table.clip < 0) | (table.clip >= detections.n_clips))
        if wrong.size:
            raise WsedError(f"{who} events in clip {table.clip[wrong[0]]}, but there are {detections.n_clips} clips")
        if backend == "psds_eval":
            table = lasting(table)
            how, clash = "overlap (join them first)", clashes(table, touching=False)
        else:
            wrong = np.flatnonzero((table.offset <= table.onset) | (table.onset < 0))
            refuse(table, wrong, f"{who} events do not last, or start before 0 s", labels, backend)
            how, clash = "touch or overlap (join them first, touching ones too)", clashes(table, touching=True)
        refuse(table, clash, f"{who} events of one class {how}", labels, backend)
        sides.append(table)
    return Inputs(sides[0], sides[1], detections.n_clips, labels, _seconds(detections))


def refuse(events: Columns, wrong: Int[np.ndarray, " n"], what: str, labels: Labels, backend: str) -> None:
    """Raise a `WsedError` about the first of the `wrong` events, if there are any."""
    if wrong.size:
        i = wrong[0]
        where = f"clip {events.clip[i]}, {labels.names[events.label[i]]}, from {events.onset[i]:g} s"
        raise WsedError(f"{backend} does not take these events: {what}: {where}")


def clashes(events: Columns, touching: bool) -> Int[np.ndarray, " n"]:
    """Indices of events that the next event of their class and clip overlaps, or touches if `touching`."""
    order = np.lexsort((events.onset, events.label, events.clip))
    clip, label, onset, offset = events.take(order)
    same = (clip[1:] == clip[:-1]) & (label[1:] == label[:-1])
    gap = onset[1:] - offset[:-1]
    wrong: Int[np.ndarray, " n"] = order[:-1][same & ((gap < 0) | (touching & (gap == 0)))]
    return wrong


def of_classes(events: Columns, known: Classes) -> Columns:
    """The events of some classes."""
    return events.take(np.isin(events.label, known))


def _seconds(detections: TimedClips) -> Float[np.ndarray, " clip"] | None:
    """Seconds of every clip; None if they are not known."""
    if detections.durations is None:
        return None
    seconds = Reference.of(detections.reference, detections.durations, detections.n_labels).durations
    if seconds.shape != (detections.n_clips,):
        raise WsedError(f"there are {detections.n_clips} clips, but durations of {seconds.size}")
    return seconds


def points_of(detections: TimedClips, inputs: Inputs) -> list[Columns]:
    """The events of operating points with a duration above 0, inside their clips, and of known classes."""
    tables = (lasting(columns(point, detections.n_labels)) for point in detections.points)
    points = [of_classes(table, inputs.known) for table in tables]
    if any(p.clip.size and not 0 <= p.clip.min() <= p.clip.max() < inputs.n_clips for p in points):
        raise WsedError(f"an operating point has events in clips beyond the {inputs.n_clips} clips of the reference")
    seconds = np.full(inputs.n_clips, np.inf) if inputs.seconds is None else inputs.seconds
    return [p.take((p.onset < seconds[p.clip]) & (p.offset > 0)) for p in points]


def f1_of(f1: Mapping[int, float], micro: float, labels: Labels) -> MetricValue:
    """The value of an F1 metric from the F1 of classes by their numbers; NaN for missing classes."""
    macro = float(np.mean(list(f1.values()))) if f1 else float("nan")
    per_class = {name: {"f1": float(f1.get(i, float("nan")))} for i, name in enumerate(labels)}
    return MetricValue({"macro": macro, "micro": float(micro)}, per_class)
