"""`Detector`: it detects events in recordings of any length."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from wsed.calibration import Calibration
from wsed.decoding import Decoder
from wsed.decoding.streamed import Change
from wsed.errors import WsedError
from wsed.inference.events import Chosen, Detected, DetectedEvent
from wsed.inference.streaming import Stream
from wsed.inference.track import Gathered, Track
from wsed.inference.windowed import End, Scored, Source, read, score_windows
from wsed.inference.windows import Grid
from wsed.models.base import Network
from wsed.types import Labels
from wsed.values import Scores

WINDOW = 10.0
"""Length of a window in seconds, if the length of the training clips is not known."""

Progress = Callable[[int, float], None]


def _silently(recording: int, seconds: float) -> None:
    pass


BATCH = 8
"""Number of windows in a batch: more do not fit the cache of a core, and take longer each."""


class Detector:
    """Detects events in recordings of any length, with a network and a decoder.

    A recording is cut into windows that overlap by half, so the memory does not grow with its length. The scores of the
    windows are averaged with triangular weights, and events may cross the borders of windows.

    Args:
        network: the network; it is set to eval mode.
        decoder: turns frame scores into events.
        window: length of a window in seconds, if possible that of the training clips; None: 10 s.
        calibration: turns scores into confidences; None: the confidence of an event is its mean score.

    >>> from wsed.decoding import StepDecoder
    >>> from wsed.models import Composed
    >>> detector = Detector(Composed.example(Labels(["Dog"])), StepDecoder(threshold=1.0), window=1.0)
    >>> detector.check()
    >>> detector.detect(np.zeros(8000, dtype=np.float32))
    []
    >>> [detected.events for detected in detector.detect_many([np.zeros(8000, dtype=np.float32)])]
    [()]
    >>> detector.scores(np.zeros(12000, dtype=np.float32)).durations.tolist(), detector.stream().latency < 2.0
    ([1.5], True)
    """

    def __init__(
        self, network: Network, decoder: Decoder, window: float | None = None, calibration: Calibration | None = None
    ) -> None:
        self.network, self.decoder = network.eval(), decoder
        self.window = WINDOW if window is None else window
        self.calibration = calibration

    @property
    def labels(self) -> Labels:
        """The classes that the network predicts."""
        return self.network.labels

    @property
    def grid(self) -> Grid:
        """The positions of the windows of a recording."""
        return Grid.of(self.network, self.window)

    def detect(self, audio: Source, channel: int | None = None) -> list[DetectedEvent]:
        """The events of a recording, sorted by onset: `(label, onset, offset)` in seconds, with a `confidence`.

        Args:
            audio: a sound file, or float32 samples `[sample]` at the sample rate of the network.
            channel: channel of a file, counted from 1; None: the mean of all channels.

        Raises:
            WsedError: the file cannot be read, or the samples are not mono, not finite or shorter than one frame.
        """
        (detected,) = self.detect_many([audio], batch=BATCH, channel=channel)
        if detected.error is not None:
            raise detected.error
        return list(detected.events)

    def detect_many(
        self,
        sources: Sequence[Source],
        batch: int = BATCH,
        channel: int | None = None,
        chosen: Chosen = Chosen(),  # noqa: B008 - frozen
        keep_scores: bool = False,
        progress: Progress = _silently,
    ) -> Iterator[Detected]:
        """The events of each recording, in order. A recording that cannot be read has an `error` and no events.

        Files are read in the background. A batch may hold windows of several recordings.

        Args:
            sources: sound files, or samples as for `detect`.
            batch: number of windows in a batch.
            channel: channel of files, counted from 1; None: the mean of all channels.
            chosen: which events are returned.
            keep_scores: whether to return the scores of each recording too, which need memory.
            progress: called with the index of a recording and the number of its seconds that are done.

        Raises:
            WsedError: the network predicts no frame scores, or its decoder needs true tags.
        """
        self.check()
        track, gathered, changes = self.track(), Gathered(), list[Change]()
        for item in score_windows(self.network, read(sources, self.grid, channel), batch):
            if not isinstance(item, End):
                changes += track.add(item.start, item.scores)
                if keep_scores:
                    gathered.add(item.start, item.scores)
                progress(item.recording, item.start / self.network.frame_rate)
                continue
            seconds, source = item.n_samples / self.network.sample_rate, sources[item.recording]
            if item.error is None:
                changes += track.finish(seconds)
            name = "" if isinstance(source, np.ndarray) else str(source)
            if item.error is not None:
                yield Detected(name, seconds, error=item.error)
            else:
                scores = gathered.scores(Path(name).name, seconds) if keep_scores else None
                events = chosen.of(map(self._calibrated, changes), self.labels)
                yield Detected(name, seconds, events, scores=scores)
            track, gathered, changes = self.track(), Gathered(), []

    def events_of(self, windows: Sequence[Scored], duration: float) -> tuple[DetectedEvent, ...]:
        """The events of a recording from the scores of its windows, as `score_windows` gives them.

        Args:
            windows: all windows of the recording, in order.
            duration: duration of the recording, in seconds.

        >>> from wsed.decoding import StepDecoder
        >>> from wsed.models import Composed
        >>> detector = Detector(Composed.example(Labels(["Dog"])), StepDecoder(threshold=1.0), window=1.0)
        >>> windows = score_windows(detector.network, read([np.zeros(8000, dtype=np.float32)], detector.grid), batch=4)
        >>> detector.events_of([window for window in windows if isinstance(window, Scored)], duration=1.0)
        ()
        """
        track = self.track()
        changes = [change for window in windows for change in track.add(window.start, window.scores)]
        return Chosen().of(map(self._calibrated, changes + track.finish(duration)), self.labels)

    def scores(self, audio: Source, channel: int | None = None, batch: int = BATCH) -> Scores:
        """The scores of a recording: its frame scores, and the highest clip scores of its windows.

        Arguments and errors are those of `detect`.
        """
        gathered = Gathered()
        for item in score_windows(self.network, read([audio], self.grid, channel), batch):
            if isinstance(item, End):
                if item.error is not None:
                    raise item.error
                name = "" if isinstance(audio, np.ndarray) else Path(audio).name
                return gathered.scores(name, item.n_samples / self.network.sample_rate)
            gathered.add(item.start, item.scores)
        raise AssertionError("a recording has an end")

    def embeddings(self, audio: Source, channel: int | None = None) -> tuple[Float[Tensor, "window dim"], list[float]]:
        """The clip embedding of each window of a recording, and the start of each window in seconds.

        Arguments and errors are those of `detect`.

        Raises:
            WsedError: the network has no head that provides clip embeddings.

        >>> from wsed.decoding import StepDecoder
        >>> from wsed.models import Composed
        >>> Detector(Composed.example(Labels(["Dog"])), StepDecoder()).embeddings(np.zeros(8000, dtype=np.float32))
        Traceback (most recent call last):
        wsed.errors.WsedError: this network provides no clip embeddings; train one with a head that does
        """
        if "clip_embedding" not in self.network.provides:
            raise WsedError("this network provides no clip embeddings; train one with a head that does")
        points: list[Tensor] = []
        starts: list[float] = []
        for item in score_windows(self.network, read([audio], self.grid, channel), BATCH):
            if isinstance(item, End):
                if item.error is not None:
                    raise item.error
                continue
            assert item.scores.embeddings is not None
            points.append(item.scores.embeddings)
            starts.append(item.start / self.network.frame_rate)
        return torch.cat(points), starts

    def stream(self, window: float | None = None) -> Stream:
        """A detector for sound that comes in blocks; its `latency` is known.

        Args:
            window: length of a window in seconds; None: that of the detector. Shorter windows detect events sooner, but
                with less context.

        Raises:
            WsedError: `window` is not a finite number above 0, or the network or decoder cannot be used; see `check`.
        """
        self.check()
        grid = self.grid if window is None else Grid.of(self.network, window)
        return Stream(self.network, self.decoder, grid, self._calibrated)

    def check(self) -> None:
        """Refuse a network, decoder or length of windows with which no events can be detected in recordings.

        Raises:
            WsedError: the network predicts tags only, the decoder needs true tags, or `window` is not a finite number
                above 0.
        """
        Grid.of(self.network, self.window)  # refuses a length that is none
        if "frame_logits" not in self.network.provides:
            raise WsedError(
                "this network predicts only tags, but events need frame scores: train one whose head predicts them"
            )
        if self.decoder.tags == "oracle":
            raise WsedError("decoder.tags is oracle, and true tags are not known here: set it to clip or none")

    def _calibrated(self, change: Change) -> Change:
        """The change with a calibrated confidence, if there is a calibration."""
        if self.calibration is None:
            return change
        confidence = self.calibration.confidence(self.labels.names[change.label], change.confidence)
        return change._replace(confidence=confidence)

    def track(self) -> Track:
        """An object that joins and decodes the windows of a recording.

        >>> from wsed.decoding import StepDecoder
        >>> from wsed.models import Composed
        >>> type(Detector(Composed.example(Labels(["Dog"])), StepDecoder()).track()).__name__
        'Track'
        """
        return Track(self.decoder, self.network.frame_rate)
