"""Recall of true events by their class, duration, polyphony and SNR."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from wsed.metrics.error_kinds import RIGHT, SHIFTED
from wsed.report.html.shown import UNKNOWN, Shown
from wsed.scoring.plain import Plain

SECONDS = (0.0, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
DECIBELS = (-np.inf, 0.0, 5.0, 10.0, 15.0, 20.0, 25.0, np.inf)


def recall_by(shown: Shown, kinds: Int[np.ndarray, " event"], snr: Float[np.ndarray, " event"] | None) -> Plain:
    """Recall of groups of true events: within the collars, and also with shifted borders.

    A group without events is left out.

    Args:
        shown: the system.
        kinds: kind of each true event, from `Shown.kinds`.
        snr: signal-to-noise ratio of each true event in dB, NaN if it is not known; None if it is of no event.
    """
    events = shown.true
    onset, offset = events.onset.numpy(), events.offset.numpy()
    groups: dict[str, Plain] = {
        "class": _table(kinds, events.label.numpy(), list(shown.labels)),
        "duration": _table(kinds, *_bins(offset - onset, SECONDS, "s")),
        "polyphony": _table(kinds, *_counted(polyphony(events.clip.numpy(), onset, offset))),
    }
    if snr is not None and np.isfinite(snr).any():
        known = np.isfinite(snr)
        groups["SNR"] = _table(kinds[known], *_bins(snr[known], DECIBELS, "dB"))
    return groups


def polyphony(
    clip: Int[np.ndarray, " event"], onset: Float[np.ndarray, " event"], offset: Float[np.ndarray, " event"]
) -> Int[np.ndarray, " event"]:
    """The greatest number of events that are active at once during each event, itself included.

    >>> polyphony(np.array([0, 0, 1]), np.array([0.0, 1.0, 0.0]), np.array([2.0, 3.0, 1.0]))
    array([2, 2, 1])
    """
    most = np.ones(clip.size, dtype=np.int64)
    order = np.argsort(clip, kind="stable")
    borders = np.flatnonzero(np.diff(clip[order])) + 1
    for own in np.split(order, borders):
        starts, ends = np.sort(onset[own]), np.sort(offset[own])
        # the number of active events is greatest just after an onset
        active = np.searchsorted(starts, starts, "right") - np.searchsorted(ends, starts, "right")
        first, last = (np.searchsorted(starts, times) for times in (onset[own], offset[own]))
        pairs = np.stack([first, last], axis=1).ravel()
        if own.size:
            most[own] = np.where(last > first, np.maximum.reduceat(np.append(active, 0), pairs)[::2], 1)
    return most


def _bins(values: Float[np.ndarray, " event"], edges: Sequence[float], unit: str) -> tuple[np.ndarray, list[str]]:
    inner = [edge for edge in edges[1:] if np.isfinite(edge)]
    names = [f"below {inner[0]:g} {unit}"]
    names += [f"{low:g} to {high:g} {unit}" for low, high in pairwise(inner)]
    return np.digitize(values, inner), [*names, f"from {inner[-1]:g} {unit}"]


def _counted(values: Int[np.ndarray, " event"]) -> tuple[np.ndarray, list[str]]:
    return np.minimum(values, 4) - 1, ["alone", "2 at once", "3 at once", "4 or more at once"]


def _table(kinds: Int[np.ndarray, " event"], group: np.ndarray, names: Sequence[str]) -> Mapping[str, object]:
    rows = []
    for i, name in enumerate(names):
        own = kinds[(group == i) & (kinds != UNKNOWN)]
        if own.size:
            rows.append((name, own.size, int((own == RIGHT).sum()), int(np.isin(own, (RIGHT, SHIFTED)).sum())))
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
    return dict(zip(("names", "n", "right", "found"), columns, strict=True))
