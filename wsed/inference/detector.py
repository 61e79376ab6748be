"""A trained network with its decoder, ready to detect events in recordings of any length."""

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
from wsed.inference.windowed import End, Source, read, score_windows
from wsed.inference.windows import Grid
from wsed.models.base import Network
from wsed.types import Labels
from wsed.values import Scores

WINDOW = 10.0
"""Seconds of a window where the network does not say on what lengths it was trained."""

Progress = Callable[[int, float], None]


def _silently(recording: int, seconds: float) -> None:
    pass


BATCH = 32
"""Windows that go through the network at once."""


class Detector:
    """A network with its decoder: from sounds of any length to events.

    Recordings go through the network in windows that overlap by half, so that memory does not grow with them. The
    scores of windows are joined under a triangular taper and decoded across their seams.

    Args:
        network: in eval mode from here on.
        decoder: from frame scores to events.
        window: seconds of a window, best those of the training clips.
        calibration: makes confidences of scores; None: the confidence of an event is its mean score.
    """

    def __init__(
        self, network: Network, decoder: Decoder, window: float | None = None, calibration: Calibration | None = None
    ) -> None:
        self.network, self.decoder = network.eval(), decoder
        self.window = WINDOW if window is None else window
        self.calibration = calibration

    @property
    def labels(self) -> Labels:
        """The classes it knows."""
        return self.network.labels

    @property
    def grid(self) -> Grid:
        """Where the windows of a recording lie."""
        return Grid.of(self.network, self.window)

    def detect(self, audio: Source, channel: int | None = None) -> list[DetectedEvent]:
        """The events of one recording by onset, each `(label, onset, offset)` in seconds with a `confidence`.

        Args:
            audio: a sound file, or float32 samples `[sample]` at the network's sample rate.
            channel: which channel of a file, the first being 1; None: the mean of all.

        Raises:
            WsedError: the file cannot be read, or the samples are no finite mono samples of at least one frame.
        """
        (found,) = self.detect_many([audio], batch=BATCH, channel=channel)
        if found.error is not None:
            raise found.error
        return list(found.events)

    def detect_many(
        self,
        sources: Sequence[Source],
        batch: int = BATCH,
        channel: int | None = None,
        chosen: Chosen = Chosen(),  # noqa: B008 - frozen
        keep_scores: bool = False,
        progress: Progress = _silently,
    ) -> Iterator[Detected]:
        """The events of each recording, in order; one that cannot be read has an `error` and no events.

        Files are read in the background, and the windows of several go through the network at once.

        Args:
            sources: sound files, or samples as `detect` takes them.
            batch: windows that go through the network at once.
            channel: which channel of files, the first being 1; None: the mean of all.
            chosen: which events are reported.
            keep_scores: also give the scores of each recording, which memory then has to hold.
            progress: called with the index of a recording and the seconds of it that are done.

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
                events = chosen.of(map(self._worth, changes), self.labels)
                yield Detected(name, seconds, events, scores=scores)
            track, gathered, changes = self.track(), Gathered(), []

    def scores(self, audio: Source, channel: int | None = None, batch: int = BATCH) -> Scores:
        """The scores of one recording, not decoded: frames joined from windows, and the highest clip scores of these.

        Arguments and errors as for `detect`.
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
        """The clip embedding of each window of a recording, and the second at which each window begins.

        Arguments and errors as for `detect`.

        Raises:
            WsedError: the network has no head that embeds clips.
        """
        if "clip_embedding" not in self.network.provides:
            raise WsedError("this network embeds no clips; train one with a head that provides clip_embedding")
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
        """A detector of a sound that comes in blocks, with a stated latency.

        Args:
            window: seconds of a window; None: those of the detector. Shorter ones decide sooner, on less context.
        """
        self.check()
        grid = Grid.of(self.network, self.window if window is None else window)
        return Stream(self.network, self.decoder, grid, self._worth)

    def check(self) -> None:
        """Refuse a network or decoder that cannot detect events in recordings of which nothing is known.

        Raises:
            WsedError: the network predicts tags only, or the decoder needs true tags.
        """
        if "frame_logits" not in self.network.provides:
            raise WsedError("this network predicts tags only, and events need frame scores: train one with such a head")
        if self.decoder.tags == "oracle":
            raise WsedError("decoder.tags is oracle, and true tags are not known here: set it to clip or none")

    def _worth(self, change: Change) -> Change:
        """A change with a calibrated confidence, where there is a calibration."""
        if self.calibration is None:
            return change
        worth = self.calibration.confidence(self.labels.names[change.label], change.confidence)
        return change._replace(confidence=worth)

    def track(self) -> Track:
        """What joins and decodes the windows of one recording."""
        return Track(self.decoder, self.network.frame_rate)
