"""A recording with the scores of its windows: another threshold needs no second run of the network."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from wsed.data import audio
from wsed.decoding.base import replaced
from wsed.errors import WsedError
from wsed.formats.event import Event
from wsed.formats.recording import Recording
from wsed.inference.detector import BATCH, Detector
from wsed.inference.windowed import Scored, read, score_windows
from wsed.report.spectrogram import draw, spectrogram

MOST_SECONDS = 1800.0
"""Greatest duration of a recording, since its samples are kept for the picture."""


@dataclass(frozen=True, eq=False)
class Analysis:
    """The spectrogram of one recording and the scores of its windows.

    Attributes:
        recording: the recording, without events.
        windows: its windows, in order.
        decibels: its spectrogram, at the sample rate of the network.
    """

    recording: Recording
    windows: tuple[Scored, ...]
    decibels: Float[np.ndarray, "band column"]

    def with_events(self, detector: Detector, threshold: float | None = None) -> Recording:
        """The recording with the events that `wsed detect` would detect in it.

        Args:
            detector: the detector whose scores these are.
            threshold: threshold of all classes; None: those of the detector.

        Raises:
            WsedError: the decoder cannot have this threshold.
        """
        decoder = detector.decoder if threshold is None else replaced(detector.decoder, {"threshold": threshold})
        same = Detector(detector.network, decoder, detector.window, detector.calibration)
        detected = same.events_of(self.windows, self.recording.duration)
        events = tuple(Event(*event, confidence=event.confidence, file=self.recording.name) for event in detected)
        return self.recording._replace(events=events)

    def picture(self, detector: Detector, recording: Recording) -> bytes:
        """The spectrogram with the events, as PNG."""
        return draw(self.decibels, detector.network.sample_rate, recording, detector.labels)


def analyse(detector: Detector, path: str | Path) -> Analysis:
    """Read a recording and run the network on its windows.

    Raises:
        WsedError: the file cannot be read, or the recording is too long for a page.
    """
    path, rate = Path(path), detector.network.sample_rate
    header = audio.info(path)
    if header.duration > MOST_SECONDS:
        minutes = f"{header.duration / 60:.0f} minutes, and this page takes at most {MOST_SECONDS / 60:.0f}"
        raise WsedError(f"{path.name} lasts {minutes}; use `wsed detect`, which takes any length")
    samples = audio.read(path, rate)
    items = score_windows(detector.network, read([samples], detector.grid), BATCH)
    recording = Recording(path.name, path.name, len(samples) / rate, header.sample_rate, ())
    windows = tuple(item for item in items if isinstance(item, Scored))
    return Analysis(recording, windows, spectrogram(samples, rate))
