"""Detection while the sound comes in."""

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
from wsed.models.base import Network


@dataclass(frozen=True)
class Heard:
    """An onset or an offset that was decided.

    Attributes:
        kind: `onset` or `offset`.
        label: the class.
        time: seconds from the start of the stream.
        confidence: of the event: at its onset as far as it is known, at its offset of all of it.
    """

    kind: Literal["onset", "offset"]
    label: str
    time: float
    confidence: float


class Stream:
    """Takes blocks of samples, and gives onsets and offsets as they are decided.

    A moment is decided on when the last window that holds it is complete and the decoder has seen its `reach` after it:
    `latency` seconds later at most. A shorter window decides sooner, on less context.

    Args:
        network: in eval mode.
        decoder: from frame scores to events.
        grid: where the windows lie.
        worth: calibrates the confidence of a change; None: confidences are scores.
    """

    def __init__(
        self, network: Network, decoder: Decoder, grid: Grid, worth: Callable[[Change], Change] | None = None
    ) -> None:
        self.network, self.grid, self._worth = network, grid, worth
        self._cutter = Cutter(grid)
        self._track = Track(decoder, network.frame_rate, every=0.0)
        self._settled = 0
        self._reach = decoder.across().reach

    @property
    def latency(self) -> float:
        """Seconds from a moment of the sound to its decision, at most; the time to compute comes on top."""
        return self.grid.length / self.grid.sample_rate + self._reach + 2 / self.grid.frame_rate

    def push(self, block: NDArray[np.float32]) -> Iterator[Heard]:
        """Add samples `[sample]` at the rate of the network; yields what is decided by them.

        Raises:
            WsedError: the samples are no finite mono float samples.
        """
        if block.ndim != 1 or not np.issubdtype(block.dtype, np.floating) or not np.isfinite(block).all():
            raise WsedError("a stream takes blocks of finite mono float samples [sample] in [-1, 1]")
        for window in self._cutter.push(block.astype(np.float32, copy=False)):
            yield from self._add(window)
            self._settled = window.start + self.grid.hop
            yield from self._heard(self._track.settle(self._settled))

    def finish(self) -> Iterator[Heard]:
        """What is left to be decided when the sound ends.

        Raises:
            WsedError: all of it was shorter than one frame.
        """
        for window in self._cutter.finish():
            yield from self._add(window)
        yield from self._heard(self._track.finish(self._cutter.n_samples / self.grid.sample_rate))

    def _add(self, window: Window) -> Iterator[Heard]:
        (scores,) = predict(self.network, [window.samples])
        yield from self._heard(self._track.add(window.start, scores))

    def _heard(self, changes: list[Change]) -> Iterator[Heard]:
        names = self.network.labels.names
        for change in changes if self._worth is None else map(self._worth, changes):
            if change.offset is None:
                yield Heard("onset", names[change.label], change.onset, change.confidence)
            else:
                yield Heard("offset", names[change.label], change.offset, change.confidence)
