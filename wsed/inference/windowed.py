"""The scores of the windows of recordings; a batch may hold windows of several recordings."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wsed.data import audio as sound
from wsed.data.streaming import stream
from wsed.errors import WsedError
from wsed.inference.background import ahead
from wsed.inference.windows import Cutter, Grid, Window
from wsed.models.base import Network
from wsed.types import Batch, Events
from wsed.values import Scores

AHEAD = 3
"""Number of batches that are read ahead."""

Source: TypeAlias = str | Path | NDArray[np.generic]
"""A sound file, or float32 samples at the rate of the network."""


OTHERS: dict[type, str] = {
    list: "; pass samples as np.asarray(samples), and several recordings to detect_many",
    tuple: "; pass samples as np.asarray(samples), and several recordings to detect_many",
    Tensor: "; pass samples.numpy(force=True)",
}
"""What to do with values of other types that hold samples."""


class End(NamedTuple):
    """The end of a recording with `n_samples` at the sample rate of the network, or the error when it was read."""

    recording: int
    n_samples: int
    error: WsedError | None = None


class Scored(NamedTuple):
    """The scores of a window that begins at frame `start`."""

    recording: int
    start: int
    scores: Scores


def read(sources: Sequence[Source], grid: Grid, channel: int | None = None) -> Iterator[Window | End]:
    """The windows of recordings, one recording after the other, with an `End` after each."""
    for i, source in enumerate(sources):
        cutter = Cutter(grid, i)
        try:
            for block in blocks_of(source, grid.sample_rate, channel):
                yield from cutter.push(block)
            if cutter.n_samples == 0:
                raise WsedError("it holds no samples")
            yield from cutter.finish()
        except WsedError as error:
            yield End(i, cutter.n_samples, _named(source, error))
        else:
            yield End(i, cutter.n_samples)


def blocks_of(source: Source, sample_rate: int, channel: int | None) -> Iterator[NDArray[np.float32]]:
    """The samples of a recording in blocks.

    Raises:
        WsedError: the file cannot be read, the samples are not mono, not float or not finite, or the source is neither
            a file nor an array.
    """
    if isinstance(source, str | Path):
        yield from stream(source, sample_rate, channel)
        return
    if not isinstance(source, np.ndarray):
        raise WsedError(
            "a recording is a sound file (str or Path) or a NumPy array of float samples [sample] in [-1, 1], not "
            f"{type(source).__name__}{OTHERS.get(type(source), '')}"
        )
    if source.ndim != 1:
        raise WsedError(f"detect needs mono samples [sample], not shape {source.shape}; average channels")
    if not np.issubdtype(source.dtype, np.floating) or not np.isfinite(source).all():
        raise WsedError("detect needs finite float samples in [-1, 1]; divide 16 bit samples by 32768")
    for first in range(0, len(source), sound.BLOCK):
        yield source[first : first + sound.BLOCK].astype(np.float32, copy=False)


def _named(source: Source, error: WsedError) -> WsedError:
    """The error with the name of the file, if its message does not have it."""
    known = not isinstance(source, str | Path) or str(source) in str(error)
    return error if known else WsedError(f"{source}: {error}")


def score_windows(network: Network, items: Iterable[Window | End], batch: int) -> Iterator[Scored | End]:
    """The scores of each window, in order; items are read ahead in a thread.

    Args:
        network: the network, in eval mode.
        items: windows and ends of recordings.
        batch: number of windows in a batch, of one or several recordings.
    """
    waiting: list[Window | End] = []
    n_windows = 0
    for item in ahead(items, AHEAD * batch):
        waiting.append(item)
        n_windows += isinstance(item, Window)
        if n_windows == batch:
            yield from _score(network, waiting)
            waiting, n_windows = [], 0
    yield from _score(network, waiting)


def _score(network: Network, items: Sequence[Window | End]) -> Iterator[Scored | End]:
    windows = [item for item in items if isinstance(item, Window)]
    scores = iter(predict(network, [window.samples for window in windows])) if windows else iter(())
    for item in items:
        yield Scored(item.recording, item.start, next(scores)) if isinstance(item, Window) else item


@torch.inference_mode()
def predict(network: Network, windows: Sequence[Tensor]) -> list[Scores]:
    """The scores of each window, computed in one batch and moved to the CPU."""
    device = next(network.parameters(), torch.empty(0)).device
    output = network(batch_of(windows, len(network.labels)).to(device))
    seconds = torch.tensor([len(samples) / network.sample_rate for samples in windows], dtype=torch.float64)
    scores = Scores.of_output(output, [""] * len(windows), seconds).to("cpu")
    return [scores.select(torch.tensor([i])) for i in range(len(windows))]


def batch_of(clips: Sequence[Tensor], n_labels: int) -> Batch:
    """A batch of clips without known tags or events."""
    lengths = [len(samples) for samples in clips]
    no = torch.zeros(len(clips), n_labels, dtype=torch.bool)
    full = len(set(lengths)) == 1
    return Batch(
        audio=torch.stack(list(clips)) if full else torch.nn.utils.rnn.pad_sequence(list(clips), batch_first=True),
        n_samples=torch.tensor(lengths),
        clip_labels=torch.zeros(len(clips), n_labels),
        tagged=no,
        events=Events.of([]),
        timed=no,
        source=torch.zeros(len(clips), dtype=torch.long),
        sources=("",),
        clip_ids=("",) * len(clips),
        full=full,
    )
