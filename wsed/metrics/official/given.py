"""What is handed over to a package, and what comes back.

Clips and classes go by their numbers: a class may be called "onset", or have a backslash in its name.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from wsed.errors import WsedError
from wsed.metrics.detections import Detections
from wsed.metrics.intersection import lasting
from wsed.metrics.pairs import Columns, columns
from wsed.metrics.psds import Truth
from wsed.types import Labels

Classes = Int[np.ndarray, " known"]


def clip_name(clip: int) -> str:
    return f"{clip:08d}"


class Given(NamedTuple):
    """Events that a package accepts. `seconds` of the clips: None if they are not known."""

    ref: Columns
    said: Columns
    n_clips: int
    labels: Labels
    seconds: Float[np.ndarray, " clip"] | None

    @property
    def known(self) -> Classes:
        """The classes with reference."""
        return np.unique(self.ref.label)


def handed_over(detections: Detections, labels: Labels, backend: str) -> Given:
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
    return Given(sides[0], sides[1], detections.n_clips, labels, _seconds(detections))


def refuse(events: Columns, wrong: Int[np.ndarray, " n"], what: str, labels: Labels, backend: str) -> None:
    if wrong.size:
        i = wrong[0]
        where = f"clip {events.clip[i]}, {labels.names[events.label[i]]}, from {events.onset[i]:g} s"
        raise WsedError(f"{backend} cannot be told of these events: {what}: {where}")


def clashes(events: Columns, touching: bool) -> Int[np.ndarray, " n"]:
    """Events that the next one of their class and clip overlaps, or touches if that matters."""
    order = np.lexsort((events.onset, events.label, events.clip))
    clip, label, onset, offset = events.take(order)
    same = (clip[1:] == clip[:-1]) & (label[1:] == label[:-1])
    gap = onset[1:] - offset[:-1]
    wrong: Int[np.ndarray, " n"] = order[:-1][same & ((gap < 0) | (touching & (gap == 0)))]
    return wrong


def of_classes(events: Columns, known: Classes) -> Columns:
    return events.take(np.isin(events.label, known))


def _seconds(detections: Detections) -> Float[np.ndarray, " clip"] | None:
    """Seconds of every clip; None if they are not known."""
    if detections.durations is None:
        return None
    seconds = Truth.of(detections.reference, detections.durations, detections.n_labels).durations
    if seconds.shape != (detections.n_clips,):
        raise WsedError(f"there are {detections.n_clips} clips, but durations of {seconds.size}")
    return seconds


def points_of(detections: Detections, given: Given) -> list[Columns]:
    """Events of the operating points that last, lie in their clips, and are of known classes."""
    tables = (lasting(columns(point, detections.n_labels)) for point in detections.points)
    points = [of_classes(table, given.known) for table in tables]
    if any(p.clip.size and not 0 <= p.clip.min() <= p.clip.max() < given.n_clips for p in points):
        raise WsedError(f"an operating point has events in clips beyond the {given.n_clips} there are")
    seconds = np.full(given.n_clips, np.inf) if given.seconds is None else given.seconds
    return [p.take((p.onset < seconds[p.clip]) & (p.offset > 0)) for p in points]


def figure_of(f1: Mapping[int, float], micro: float | None, labels: Labels) -> dict[str, Any]:
    """F1 of classes by their number, with NaN for those that are missing."""
    macro = float(np.mean(list(f1.values()))) if f1 else float("nan")
    per_class = {name: {"f1": float(f1.get(i, float("nan")))} for i, name in enumerate(labels)}
    return {"macro": macro, "micro": micro if micro is None else float(micro), "per_class": per_class}
