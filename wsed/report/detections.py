"""A picture of the events that were detected in a recording of any length."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from wsed.formats.recording import Recording
from wsed.report.drawing import literal, save
from wsed.types import Labels
from wsed.values import Scores

MOST_CLASSES = 30
"""Greatest number of classes in a picture."""
COLUMNS = 1200
"""Columns of the picture; of more frames, each column shows the highest score."""


def draw(path: str | Path, recording: Recording, scores: Scores, labels: Labels) -> None:
    """The scores of each class over time as shades, with the events as bars; not of all if there are many."""
    frames, _ = scores.need_frames()
    per = max(1, -(-len(frames) // COLUMNS))
    table = np.zeros((-(-len(frames) // per) * per, len(labels)), dtype=np.float32)
    table[: len(frames)] = frames.numpy()
    shades = table.reshape(-1, per, len(labels)).max(1).T
    shown = _telling(shades, recording, labels)
    shades = shades[shown]
    names = [labels.names[i] for i in shown]
    figure = Figure(figsize=(11, 1.2 + 0.3 * len(names)), layout="constrained")
    axis = figure.subplots()
    end = len(table) / scores.frame_rate
    axis.imshow(shades, aspect="auto", cmap="Blues", vmin=0, vmax=1, extent=(0, end, len(names) - 0.5, -0.5))
    places = {name: i for i, name in enumerate(names)}
    for event in (event for event in recording.events if event.label in places):
        width = max(event.offset - event.onset, recording.duration / COLUMNS)
        axis.barh(places[event.label] + 0.3, width, left=event.onset, height=0.25, color="#d55e00")
    axis.set(
        title=literal(recording.name), xlabel="time (s); shades: scores, bars: events", xlim=(0, recording.duration)
    )
    axis.set_yticks(range(len(names)), [literal(name) for name in names])
    save(figure, path)


def _telling(shades: np.ndarray, recording: Recording, labels: Labels) -> list[int]:
    """The classes that are shown: of many, those with events, then those with the highest scores."""
    if len(labels) <= MOST_CLASSES:
        return list(range(len(labels)))
    detected = {event.label for event in recording.events}
    order = sorted(range(len(labels)), key=lambda i: (labels.names[i] not in detected, -float(shades[i].max())))
    return sorted(order[:MOST_CLASSES])
