"""A picture of what was detected in a recording of any length."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from wsed.files import write_whole
from wsed.formats.recording import Recording
from wsed.types import Labels
from wsed.values import Scores

COLUMNS = 1200
"""Of the picture: of more frames the highest in each column is shown."""


def draw(path: str | Path, recording: Recording, scores: Scores, labels: Labels) -> None:
    """The scores of each class over time as shades, with the events as bars."""
    frames, _ = scores.need_frames()
    per = max(1, -(-len(frames) // COLUMNS))
    table = np.zeros((-(-len(frames) // per) * per, len(labels)), dtype=np.float32)
    table[: len(frames)] = frames.numpy()
    shades = table.reshape(-1, per, len(labels)).max(1).T
    figure = Figure(figsize=(11, 1.2 + 0.3 * len(labels)), layout="constrained")
    axis = figure.subplots()
    end = len(table) / scores.frame_rate
    axis.imshow(shades, aspect="auto", cmap="Blues", vmin=0, vmax=1, extent=(0, end, len(labels) - 0.5, -0.5))
    places = {name: i for i, name in enumerate(labels)}
    for event in recording.events:
        width = max(event.offset - event.onset, recording.duration / COLUMNS)
        axis.barh(places[event.label] + 0.3, width, left=event.onset, height=0.25, color="tab:red")
    axis.set(title=recording.name, xlabel="time (s); shades: scores, bars: events", xlim=(0, recording.duration))
    axis.set_yticks(range(len(labels)), list(labels))
    with write_whole(path) as part:
        figure.savefig(part, dpi=110)
