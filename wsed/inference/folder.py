"""Detection in many recordings into a folder: events in several formats, scores and pictures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsed.data import audio
from wsed.errors import WsedError, near
from wsed.files import write_whole
from wsed.formats.event import Event
from wsed.formats.recording import Recording
from wsed.formats.rows import ENDS
from wsed.formats.writing import FORMATS, write_events
from wsed.inference.detector import BATCH, Detector
from wsed.inference.events import Chosen, Detected
from wsed.inference.results import Results
from wsed.inference.sources import Sound
from wsed.types import Labels
from wsed.values import Scores

OF_SCORES = {"scores": ".tsv", "pictures": ".png"}
"""Formats that contain frame scores, and the suffix of the file of each recording."""

HOLD_PATHS = frozenset({"raven", "json", "label-studio"})
"""Formats that contain the path of each recording, not only its name."""

ALL = Chosen()

KNOWN = (*FORMATS, *OF_SCORES)


@dataclass(frozen=True)
class Detection:
    """Settings of a detection in many recordings.

    Args:
        detector: the detector, with its decoder and thresholds.
        chosen: the events that are reported.
        channel: channel of files, counted from 1; None: the mean of all channels.
        batch: number of windows in a batch.
        formats: names of formats, see `KNOWN`.

    Raises:
        WsedError: a format is unknown.
    """

    detector: Detector
    chosen: Chosen = ALL
    channel: int | None = None
    batch: int = BATCH
    formats: tuple[str, ...] = ("tsv",)

    def __post_init__(self) -> None:
        for name in self.formats:
            if name not in KNOWN:
                raise WsedError(f"unknown format {name!r}{near(name, KNOWN)}; known: {', '.join(KNOWN)}")

    def of(
        self,
        sounds: Sequence[Sound],
        results: Results | None = None,
        progress: Callable[[Sound, float], None] = lambda *_: None,
    ) -> Iterator[Recording | WsedError]:
        """Detect events in each recording, in order; yields the recording with its events, or why it is skipped.

        Args:
            sounds: the recordings.
            results: the folder that keeps the results; None: they are not kept.
            progress: called with a recording and the number of its seconds that are done.
        """
        unwritable = {sound: fault for sound in sounds if (fault := self._fault(sound)) is not None}
        done = {sound: self._done(sound, results) for sound in sounds if sound not in unwritable}
        left = [sound for sound in sounds if sound in done and done[sound] is None]
        detected = self.detector.detect_many(
            [sound.path for sound in left],
            self.batch,
            self.channel,
            self.chosen,
            keep_scores=any(name in OF_SCORES for name in self.formats),
            progress=lambda i, seconds: progress(left[i], seconds),
        )
        for sound in sounds:
            if sound in unwritable:
                yield self._skip(sound, unwritable[sound], results)
            else:
                yield done[sound] or self._keep(sound, next(detected), results)

    def _fault(self, sound: Sound) -> WsedError | None:
        """Why the name of a recording, or its path, cannot be written; None if it can be."""
        text = str(sound.path) if HOLD_PATHS.intersection(self.formats) else sound.name
        if any(end in text for end in ENDS):
            return WsedError(f"{text!r} holds a tab or a line break, which end a cell or row of a table; rename it")
        if any("\ud800" <= letter <= "\udfff" for letter in text):  # bytes that Python could not decode
            return WsedError(f"{text!r} is not UTF-8, as all written files are; rename it")
        return None

    def _done(self, sound: Sound, results: Results | None) -> Recording | None:
        """The result of an earlier run for a recording; None if it is not complete."""
        if results is None:
            return None
        there = [_file(results.folder, name, sound).is_file() for name in self.formats if name in OF_SCORES]
        return results.of(sound) if all(there) else None

    def _keep(self, sound: Sound, detected: Detected, results: Results | None) -> Recording | WsedError:
        if detected.error is not None:
            return self._skip(sound, detected.error, results)
        events = tuple(Event(*event, confidence=event.confidence, file=sound.name) for event in detected.events)
        rate = audio.info(sound.path).sample_rate
        recording = Recording(sound.name, str(sound.path), detected.duration, rate, events)
        if results is not None:
            if detected.scores is not None:
                self._write_scores(results.folder, sound, recording, detected.scores)
            results.keep(sound, recording)
        return recording

    @staticmethod
    def _skip(sound: Sound, error: WsedError, results: Results | None) -> WsedError:
        if results is not None:
            results.skip(sound, error)
        return error

    def _write_scores(self, folder: Path, sound: Sound, recording: Recording, scores: Scores) -> None:
        for name in self.formats:
            if name not in OF_SCORES:
                continue
            path = _file(folder, name, sound)
            path.parent.mkdir(parents=True, exist_ok=True)
            if name == "scores":
                write_score_table(path, scores, self.detector.labels)
            else:
                from wsed.report.detections import draw  # matplotlib is imported only here

                draw(path, recording, scores, self.detector.labels)


def _file(folder: Path, name: str, sound: Sound) -> Path:
    return folder / name / f"{sound.name}{OF_SCORES[name]}"


def write_score_table(path: Path, scores: Scores, labels: Labels) -> None:
    """Write the scores of one recording in the format of sed_scores_eval: onset, offset and a column per class.

    The last frame is cut at the end of the recording.
    """
    frames, _ = scores.need_frames()
    border = np.minimum(np.arange(len(frames) + 1) / scores.frame_rate, float(scores.durations[0]))
    n = int(np.count_nonzero(np.diff(border) > 1e-6))  # frames that begin at the end are left out
    table = np.column_stack([border[:n], border[1 : n + 1], frames[:n].double().numpy()])
    with write_whole(path) as part:
        form = ["%.6f", "%.6f", *["%.6g"] * len(labels)]
        np.savetxt(part, table, form, "\t", header="\t".join(("onset", "offset", *labels)), comments="")


def write_formats(folder: Path, formats: Sequence[str], recordings: Sequence[Recording]) -> list[Path]:
    """Write the events of recordings in each format; returns the files for all, and the folders of the others."""
    written: list[Path] = []
    for name in formats:
        written += [folder / name] if name in OF_SCORES else write_events(folder, name, recordings)
    return written
