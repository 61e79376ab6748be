"""A picture of a recording: its spectrogram, with the events over it and a lane per detected class below."""

import io
import math

import numpy as np
import torch
from jaxtyping import Float
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wsed.formats.recording import Recording
from wsed.report.drawing import literal
from wsed.types import Labels

COLUMNS = 1200
"""Columns of the picture; of more frames, each column shows the loudest."""
SPAN = 80.0
"""Decibels below the loudest point that are shown."""
LEFT, RIGHT = 0.11, 0.99
"""Begin and end of the time axis, as shares of the width of the picture."""
WIDTH, HEIGHT, LANE = 11.0, 2.8, 0.28
"""Width of the picture, and heights of its spectrogram and of each lane, in inches."""
BELOW = 0.55
"""Inches below the lanes, for the time axis."""


def spectrogram(samples: NDArray[np.float32], sample_rate: int) -> Float[np.ndarray, "band column"]:
    """The power of a recording in decibels, in at most `COLUMNS` columns.

    >>> time = np.arange(8000, dtype=np.float32) / 8000
    >>> decibels = spectrogram(np.sin(2 * np.pi * 1000 * time), 8000)
    >>> decibels.shape, int(decibels[:, 50].argmax()) * 8000 / 256
    ((129, 126), 1000.0)
    """
    n_fft = 2 ** max(4, round(math.log2(sample_rate * 0.032)))
    hop, window = n_fft // 4, torch.hann_window(n_fft)
    padded = torch.nn.functional.pad(torch.from_numpy(samples), (n_fft // 2, n_fft // 2))
    frames = padded.unfold(0, n_fft, hop)
    per = -(-len(frames) // COLUMNS)
    columns = [torch.fft.rfft(part * window).abs().square().amax(0) for part in torch.split(frames, per)]
    decibels: Float[np.ndarray, "band column"] = 10 * torch.stack(columns, 1).clamp_min(1e-12).log10().numpy()
    return decibels


def draw(decibels: Float[np.ndarray, "band column"], sample_rate: int, recording: Recording, labels: Labels) -> bytes:
    """The picture as PNG; the time axis goes from `LEFT` to `RIGHT` of its width.

    Args:
        decibels: see `spectrogram`.
        sample_rate: sample rate of the samples, Hz.
        recording: the recording with its events.
        labels: the classes, which give the colours.
    """
    classes = {event.label for event in recording.events}
    lanes = [name for name in labels if name in classes]
    below = BELOW + LANE * max(1, len(lanes))
    figure = Figure(figsize=(WIDTH, HEIGHT + below))
    place = LEFT, RIGHT - LEFT
    upper = figure.add_axes((place[0], below / (HEIGHT + below), place[1], (HEIGHT - 0.1) / (HEIGHT + below)))
    lower = figure.add_axes((place[0], BELOW / (HEIGHT + below), place[1], (below - BELOW) / (HEIGHT + below)))
    top, end = float(decibels.max()), recording.duration
    extent = (0, end, 0, sample_rate / 2000)
    upper.imshow(decibels, origin="lower", aspect="auto", cmap="gray_r", vmin=top - SPAN, vmax=top, extent=extent)
    colours = colormaps["tab10"]
    for event in recording.events:
        colour = colours(labels.names.index(event.label) % 10)
        upper.axvspan(event.onset, event.offset, color=colour, alpha=0.25, linewidth=0)
        width = max(event.offset - event.onset, end / COLUMNS)
        lower.barh(lanes.index(event.label), width, left=event.onset, height=0.7, color=colour)
    upper.set(xlim=(0, end), xticks=[], ylabel="kHz")
    lower.set(xlim=(0, end), xlabel="time (s)", ylim=(max(1, len(lanes)) - 0.5, -0.5))
    lower.set_yticks(range(len(lanes)), [literal(name) for name in lanes])
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return file.getvalue()
