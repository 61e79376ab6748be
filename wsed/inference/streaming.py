"""`Stream`: it detects events while the sound comes in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wsed.decoding import Decoder
from wsed.decoding.streamed import Change
from wsed.errors import WsedError
from wsed.inference.track import Track
from wsed.inference.windowed import predict
from wsed.inference.windows import Cutter, Grid, Window
from wsed.literals import checked
from wsed.models.base import Network


@checked
@dataclass(frozen=True)
class Boundary:
    """A detected onset or offset.

    Attributes:
        kind: `onset` or `offset`.
        label: the class.
        time: seconds from the start of the stream.
        confidence: confidence of the event; at the onset, that of the part that is known so far.
    """

    kind: Literal["onset", "offset"]
    label: str
    time: float
    confidence: float


class Stream:
    """Takes blocks of samples and yields onsets and offsets as soon as they are final.

    A time is final when the last window with it is complete and the decoder has its `reach` of scores after it. This
    takes at most `latency` seconds. Shorter windows have a shorter latency, but less context.

    The events are those of `Detector.detect`, except in the first half of the last window. This window ends with the
    sound, so it may cover times that are already decided. There, `detect` averages its scores with those of the others.

    Args:
        network: the network, in eval mode.
        decoder: turns frame scores into events.
        grid: the positions of the windows.
        calibrate: function that calibrates the confidence of a change; None: confidences are scores.
    """

    def __init__(
        self, network: Network, decoder: Decoder, grid: Grid, calibrate: Callable[[Change], Change] | None = None
    ) -> None:
        self.network, self.grid, self._calibrate = network, grid, calibrate
        self._cutter = Cutter(grid)
        self._track = Track(decoder, network.frame_rate, every=0.0)
        self._settled = 0
        self._reach = decoder.across().reach

    @property
    def latency(self) -> float:
        """Greatest time in seconds until an onset or offset is reported, without the time to compute."""
        return self.grid.length / self.grid.sample_rate + self._reach + 2 / self.grid.frame_rate

    def push(self, block: NDArray[np.float32]) -> Iterator[Boundary]:
        """Add samples `[sample]` at the sample rate of the network; yields the onsets and offsets that are final now.

        Raises:
            WsedError: the samples are not finite mono float samples.
        """
        if block.ndim != 1 or not np.issubdtype(block.dtype, np.floating) or not np.isfinite(block).all():
            raise WsedError("a stream takes blocks of finite mono float samples [sample] in [-1, 1]")
        for window in self._cutter.push(block.astype(np.float32, copy=False)):
            yield from self._add(window)
            self._settled = window.start + self.grid.hop
            yield from self._boundaries(self._track.settle(self._settled))

    def finish(self) -> Iterator[Boundary]:
        """End the sound; yields the remaining onsets and offsets.

        Raises:
            WsedError: the whole sound is shorter than one frame.
        """
        for window in self._cutter.finish():
            yield from self._add(window)
        yield from self._boundaries(self._track.finish(self._cutter.n_samples / self.grid.sample_rate))

    def _add(self, window: Window) -> Iterator[Boundary]:
        (scores,) = predict(self.network, [window.samples])
        yield from self._boundaries(self._track.add(window.start, scores))

    def _boundaries(self, changes: list[Change]) -> Iterator[Boundary]:
        names = self.network.labels.names
        for change in changes if self._calibrate is None else map(self._calibrate, changes):
            if change.offset is None:
                yield Boundary("onset", names[change.label], change.onset, change.confidence)
            else:
                yield Boundary("offset", names[change.label], change.offset, change.confidence)
