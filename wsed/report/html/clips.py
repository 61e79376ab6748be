"""The clips of a report: true and detected events with the kind of each, and the order of the clips."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Int

from wsed.metrics.error_kinds import FALSE, MISSED, SHIFTED, WRONG
from wsed.report.html.shown import Shown
from wsed.scoring.plain import Plain
from wsed.types import Events

Row = tuple[str, float, float, int]
"""Label, onset, offset, kind of an event."""


@dataclass(frozen=True)
class OfClip:
    """The events of one clip of one system.

    Attributes:
        true: true events, sorted by onset.
        detected: detected events, sorted by onset.
        confidence: confidence of each detected event; empty if there is none.
    """

    true: tuple[Row, ...] = ()
    detected: tuple[Row, ...] = ()
    confidence: tuple[float, ...] = ()

    @property
    def errors(self) -> int:
        """Number of errors: missed, false and confused events, and shifted borders, each counted once."""
        missed = sum(row[3] in (MISSED, SHIFTED, WRONG) for row in self.true)
        return missed + sum(row[3] == FALSE for row in self.detected)


def by_clip(shown: Shown, kinds: tuple[Int[np.ndarray, " true"], Int[np.ndarray, " detected"]]) -> dict[str, OfClip]:
    """The events of each clip, by its id."""
    confidence = None if shown.confidence is None else shown.confidence.double().numpy()
    true = _grouped(shown, shown.true, kinds[0])
    detected = _grouped(shown, shown.detected, kinds[1])
    clips = {}
    for i, name in enumerate(shown.clip_ids):
        sure = () if confidence is None else tuple(round(float(confidence[j]), 4) for j, _ in detected.get(i, ()))
        clips[name] = OfClip(
            tuple(row for _, row in true.get(i, ())), tuple(row for _, row in detected.get(i, ())), sure
        )
    return clips


def _grouped(shown: Shown, events: Events, kinds: Int[np.ndarray, " event"]) -> dict[int, list[tuple[int, Row]]]:
    """The events of each clip with their index, sorted by onset, then by label."""
    groups: dict[int, list[tuple[int, Row]]] = {}
    columns = (events.clip.tolist(), events.label.tolist(), events.onset.tolist(), events.offset.tolist())
    for j, (clip, label, onset, offset, kind) in enumerate(zip(*columns, kinds.tolist(), strict=True)):
        row = (shown.labels.names[label], round(onset, 3), round(offset, 3), kind)
        groups.setdefault(clip, []).append((j, row))
    return {clip: sorted(rows, key=lambda each: (each[1][1], each[1][0], each[1][2])) for clip, rows in groups.items()}


def disagreement(first: Sequence[Row], second: Sequence[Row]) -> float:
    """Seconds in which one system detects a class and the other does not, over all classes.

    >>> disagreement([("Dog", 0.0, 2.0, 0)], [("Dog", 1.0, 4.0, 0), ("Cat", 0.0, 1.0, 0)])
    4.0
    """
    seconds = 0.0
    for label in {row[0] for row in (*first, *second)}:
        sides = [[(row[1], row[2]) for row in rows if row[0] == label] for rows in (first, second)]
        times = sorted({time for side in sides for span in side for time in span})
        for low, high in pairwise(times):
            active = [any(on <= low and high <= off for on, off in side) for side in sides]
            seconds += (high - low) * (active[0] != active[1])
    return round(seconds, 6)


def clip_rows(
    clip_ids: Sequence[str], systems: Sequence[Mapping[str, OfClip]], durations: Mapping[str, float]
) -> list[Plain]:
    """The clips as plain values, in the order of `clip_ids`: duration, events, number of errors, disagreement."""
    rows: list[Plain] = []
    for name in clip_ids:
        of = [system[name] for system in systems]
        apart = [disagreement(of[0].detected, other.detected) for other in of[1:]]
        last = max((row[2] for each in of for row in (*each.true, *each.detected)), default=1.0)
        rows.append(
            {
                "id": name,
                "seconds": round(durations.get(name, last), 3),
                "true": [row[:3] for row in of[0].true],
                "systems": [
                    {
                        "kinds": [row[3] for row in each.true],
                        "events": each.detected,
                        "confidence": each.confidence,
                        "errors": each.errors,
                    }
                    for each in of
                ],
                "apart": round(max(apart, default=0.0), 2),
            }
        )
    return rows


def worst_first(rows: Sequence[Plain]) -> list[int]:
    """Indices of the clips, those with the most errors first; of several systems, every other one by disagreement.

    >>> one = {"systems": [{"errors": 0, "events": []}], "apart": 0.0}
    >>> worst_first([one, one | {"systems": [{"errors": 2, "events": []}]}, one | {"apart": 3.0}])
    [1, 2, 0]
    """
    errors = [sum(system["errors"] for system in row["systems"]) for row in rows]
    events = [sum(len(system["events"]) for system in row["systems"]) for row in rows]
    by_errors = sorted(range(len(rows)), key=lambda i: (-errors[i], -events[i]))
    by_distance = sorted(range(len(rows)), key=lambda i: -rows[i]["apart"])
    if not rows or not rows[by_distance[0]]["apart"]:
        return by_errors
    return list(dict.fromkeys(i for pair in zip(by_errors, by_distance, strict=True) for i in pair))
