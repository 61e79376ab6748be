"""Windows of a recording, which are cut while it is read."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from wsed.errors import WsedError
from wsed.models.base import Network


@dataclass(frozen=True)
class Grid:
    """The positions of the windows of a recording. They overlap by half and begin at frames of the network.

    Args:
        sample_rate: sample rate of the network, Hz.
        frame_rate: frame rate of its output, frames per second.
        seconds: length of a window, in seconds.

    Raises:
        WsedError: the length of a window is not a finite number above 0.

    >>> grid = Grid(sample_rate=100, frame_rate=10.0, seconds=2.0)
    >>> grid.length, grid.hop, grid.sample(grid.hop)
    (200, 10, 100)
    >>> Grid(sample_rate=100, frame_rate=10.0, seconds=0.0)
    Traceback (most recent call last):
    wsed.errors.WsedError: the length of a window must be a finite number of seconds above 0, not 0.0: set window
    """

    sample_rate: int
    frame_rate: float
    seconds: float

    def __post_init__(self) -> None:
        given: object = self.seconds
        seconds = float(given) if isinstance(given, Real) else math.nan
        if not seconds > 0 or not math.isfinite(seconds * self.sample_rate):
            raise WsedError(
                f"the length of a window must be a finite number of seconds above 0, not {given!r}: set window"
            )

    @staticmethod
    def of(network: Network, seconds: float) -> "Grid":
        """The positions for the sample rate and frame rate of a network."""
        return Grid(network.sample_rate, network.frame_rate, seconds)

    @property
    def length(self) -> int:
        """Length of a window in samples, at least one frame."""
        return max(round(self.seconds * self.sample_rate), self.sample(1))

    @property
    def hop(self) -> int:
        """Number of frames from the start of a window to the start of the next."""
        return max(1, round(self.seconds * self.frame_rate / 2))

    def sample(self, frame: int) -> int:
        """Index of the first sample of a frame."""
        return round(frame * self.sample_rate / self.frame_rate)

    def last(self, n_samples: int) -> int:
        """Start of the last window, as a frame; it ends with the recording."""
        return int(-(-(n_samples - self.length) * self.frame_rate // self.sample_rate))


class Window(NamedTuple):
    """A window of a recording.

    Args:
        recording: index of the recording.
        start: frame of the recording at which the window begins.
        samples: samples of the window; all samples if the recording is shorter than a window.
    """

    recording: int
    start: int
    samples: Float[Tensor, " sample"]


class Cutter:
    """Cuts a recording, which comes in blocks of samples, into windows; the last window ends with the recording.

    >>> cutter = Cutter(Grid(sample_rate=100, frame_rate=10.0, seconds=2.0))
    >>> [window.start for window in cutter.push(np.zeros(430, np.float32))]
    [0, 10, 20]
    >>> [(window.start, len(window.samples)) for window in cutter.finish()]
    [(23, 200)]
    """

    def __init__(self, grid: Grid, recording: int = 0) -> None:
        self.grid, self.recording = grid, recording
        self.n_samples = 0
        self._parts: list[NDArray[np.float32]] = []
        self._begin = 0
        self._next = 0

    def push(self, block: NDArray[np.float32]) -> Iterator[Window]:
        """Add samples; yields the windows that are complete now."""
        self._parts.append(block)
        self.n_samples += len(block)
        while self.n_samples >= self.grid.sample(self._next) + self.grid.length:
            start = self.grid.sample(self._next)
            self._drop(start)
            yield self._window(self._next, self.grid.length)
            self._next += self.grid.hop

    def finish(self) -> Iterator[Window]:
        """End the recording; yields the window that ends with it, if it was not cut before.

        Raises:
            WsedError: the recording is shorter than one frame.
        """
        if self.n_samples < self.grid.sample(1):
            raise WsedError(
                f"{self.n_samples / self.grid.sample_rate:g} s are shorter than one frame of the network "
                f"({1 / self.grid.frame_rate:g} s)"
            )
        if self._next == 0:
            self._drop(0)
            yield self._window(0, self.n_samples)
        elif self.n_samples > self.grid.sample(self._next - self.grid.hop) + self.grid.length:
            start = self.grid.last(self.n_samples)
            self._drop(self.grid.sample(start))
            yield self._window(start, self.n_samples - self.grid.sample(start))

    def _drop(self, sample: int) -> None:
        """Drop the samples before an index."""
        whole = self._parts[0] if len(self._parts) == 1 else np.concatenate(self._parts)
        self._parts, self._begin = [whole[sample - self._begin :]], sample

    def _window(self, start: int, length: int) -> Window:
        return Window(self.recording, start, torch.from_numpy(self._parts[0][:length].copy()))


def windows_of(blocks: Iterable[NDArray[np.float32]], grid: Grid, recording: int = 0) -> Iterator[Window]:
    """All windows of a recording; raises the errors of `Cutter.finish`."""
    cutter = Cutter(grid, recording)
    for block in blocks:
        yield from cutter.push(block)
    yield from cutter.finish()
