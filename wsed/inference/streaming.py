"""`Stream`: it detects events while the sound comes in."""

from collections.abc import Callable, Sequence
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
    """Takes blocks of samples and returns onsets and offsets as soon as they are final.

    A time is final when the last window with it is complete and the decoder has its `reach` of scores after it. This
    takes at most `latency` seconds. Shorter windows have a shorter latency, but less context.

    The events are those of `Detector.detect`, except in the first half of the last window. This window ends with the
    sound, so it may cover times that are already decided. There, `detect` averages its scores with those of the others.

    Args:
        network: the network, in eval mode.
        decoder: turns frame scores into events.
        grid: the positions of the windows.
        calibrate: function that calibrates the confidence of a change; None: confidences are scores.

    >>> from wsed.decoding import StepDecoder
    >>> from wsed.models import Composed
    >>> from wsed.types import Labels
    >>> network = Composed.example(Labels(["Dog"])).eval()
    >>> stream = Stream(network, StepDecoder(threshold=1.0), Grid.of(network, 1.0))
    >>> stream.push(np.zeros(8000, dtype=np.float32)), stream.push([0.0, 0.1]), stream.finish()
    ([], [], [])
    >>> stream.push([0.0, 0.1])
    Traceback (most recent call last):
    wsed.errors.WsedError: this stream has ended with `finish`; open a new one, with `Detector.stream`
    """

    def __init__(
        self, network: Network, decoder: Decoder, grid: Grid, calibrate: Callable[[Change], Change] | None = None
    ) -> None:
        self.network, self.grid, self._calibrate = network, grid, calibrate
        self._cutter = Cutter(grid)
        self._track = Track(decoder, network.frame_rate, every=0.0)
        self._settled, self._ended = 0, False
        self._reach = decoder.across().reach

    @property
    def latency(self) -> float:
        """Greatest time in seconds until an onset or offset is reported, without the time to compute."""
        return self.grid.length / self.grid.sample_rate + self._reach + 2 / self.grid.frame_rate

    def push(self, block: NDArray[np.generic] | Sequence[float]) -> list[Boundary]:
        """Add samples `[sample]` at the sample rate of the network; returns the onsets and offsets that are final now.

        The samples are copied, so a buffer can be used again.

        Raises:
            WsedError: the samples are not finite mono float samples, or the stream has ended.
        """
        self._check_open()
        changes: list[Change] = []
        for window in self._cutter.push(_samples(block)):
            changes += self._add(window)
            self._settled = window.start + self.grid.hop
            changes += self._track.settle(self._settled)
        return self._boundaries(changes)

    def finish(self) -> list[Boundary]:
        """End the sound; returns the remaining onsets and offsets.

        Raises:
            WsedError: the whole sound is shorter than one frame, or the stream has ended before.
        """
        self._check_open()
        changes = [change for window in self._cutter.finish() for change in self._add(window)]
        self._ended = True
        return self._boundaries(changes + self._track.finish(self._cutter.n_samples / self.grid.sample_rate))

    def _check_open(self) -> None:
        if self._ended:
            raise WsedError("this stream has ended with `finish`; open a new one, with `Detector.stream`")

    def _add(self, window: Window) -> list[Change]:
        (scores,) = predict(self.network, [window.samples])
        return self._track.add(window.start, scores)

    def _boundaries(self, changes: list[Change]) -> list[Boundary]:
        known = changes if self._calibrate is None else map(self._calibrate, changes)
        return [self._boundary(change) for change in known]

    def _boundary(self, change: Change) -> Boundary:
        label = self.network.labels.names[change.label]
        if change.offset is None:
            return Boundary("onset", label, change.onset, change.confidence)
        return Boundary("offset", label, change.offset, change.confidence)


def _samples(block: object) -> NDArray[np.float32]:
    """A copy of a block, since the caller may use its buffer again.

    Raises:
        WsedError: these are not finite mono float samples.
    """
    try:
        samples = np.asarray(block)
    except (TypeError, ValueError, RuntimeError):  # lists of several lengths, a tensor on another device
        samples = np.empty((), dtype=object)
    if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.floating):
        of = f" of shape {samples.shape} and type {samples.dtype}" if samples.dtype != object else ""
        raise WsedError(
            "a stream takes blocks of finite mono float samples [sample] in [-1, 1], an array or a list, not "
            f"{type(block).__name__}{of}; average channels, and divide 16 bit samples by 32768"
        )
    if not np.isfinite(samples).all():
        raise WsedError("a stream takes blocks of finite mono float samples, but this block holds NaN or infinite ones")
    return samples.astype(np.float32)
