"""The files that an evaluation writes into the folder of a run."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from wsed.data import audio, table
from wsed.data.clip import Clip
from wsed.data.sound_files import is_file
from wsed.decoding.base import Decoder
from wsed.formats.event import written_times
from wsed.models.base import Frontend, Network
from wsed.report import pictures
from wsed.report.embeddings import write_embeddings
from wsed.scoring.formats.run_scores import write_scores
from wsed.scoring.report import Report
from wsed.split_folder import PICTURES, SplitFolder
from wsed.truth import Truth
from wsed.types import Events, Labels
from wsed.values import Detections, Scores

Rows = list[tuple[int, float, float]]

AT_ONCE = 65_536
"""Rows of a table that are Python values at the same time."""


def begin(folder: SplitFolder, scores: Scores, labels: Labels) -> None:
    """Write the scores, before anything is computed from them, and remove the results of earlier scores.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     folder = SplitFolder(Path(place, "test"))
    ...     begin(folder, Scores.of_padded(torch.rand(1, 2, 1), frame_rate=1.0), Labels(["dog"]))
    ...     folder.scores.name
    'frame_scores.npz'
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    earlier = [folder.report, folder.predictions, folder.embeddings, *map(folder.picture, PICTURES)]
    earlier += [folder.frame_scores] if scores.frames is None else []  # the others are replaced
    earlier += [folder.clip_scores] if scores.clip_scores is None else []
    for path in earlier:
        path.unlink(missing_ok=True)
    write_scores(folder.path, scores, labels)


@dataclass(frozen=True)
class Evaluation:
    """The scores of clips, the detected events, and the report.

    Attributes:
        scores: scores of the network.
        truth: truth of the same clips.
        detected: detected events and their confidence; empty for a network that only tags.
        report: the report; None for clips to predict.
        labels: the classes.
        decoder: the decoder that detected the events.
    """

    scores: Scores
    truth: Truth
    detected: Detections
    report: Report | None
    labels: Labels
    decoder: Decoder

    def write(self, folder: SplitFolder, clips: Iterable[Clip], network: Network) -> None:
        """Write the files of an evaluation: scores, report, detected events, pictures, and embeddings if evaluated.

        Args:
            folder: folder of the split; it is created if it is missing.
            clips: the clips, for the picture of the features.
            network: network whose frontend computes the features.
        """
        begin(folder, self.scores, self.labels)
        self.write_results(folder, clips, network)

    def write_results(self, folder: SplitFolder, clips: Iterable[Clip], network: Network) -> None:
        """Write all files but the scores, see `begin`; arguments as in `write`."""
        if self.report is not None:
            self.report.without_curves().write(folder.report)
            pictures.class_f1(folder.picture("class_f1"), self.report)
            embedding = self.report.computed.get("embedding")
            if embedding is not None:
                write_embeddings(folder, self.scores, self.truth, self.labels, embedding.numbers)
        if self.scores.frames is None:
            return
        self.write_predictions(folder.predictions)
        place = pictures.richest(self.truth.events, len(self.truth))
        name = self.scores.clip_ids[place]
        sound = next((clip for clip in clips if clip.id == name), None)
        frontend = next((part for part in network.modules() if isinstance(part, Frontend)), None)
        if sound is not None and frontend is not None and is_file(sound.path):  # a reader may not need the file
            device = next(network.parameters()).device
            self.draw_curves(folder.picture("curves"), place, sound, frontend, device)

    def write_predictions(self, path: Path) -> None:
        """Write the detected events and confidences, in the columns of DESED; clips without events have only a name."""
        table.write_rows(path, ("filename", "onset", "offset", "event_label", "confidence"), self._rows())

    def _rows(self) -> Iterator[tuple[object, ...]]:
        """The rows of the predictions, one by one: a list of millions would take gigabytes."""
        events, names, labels = self.detected.events, self.scores.clip_ids, self.labels.names
        columns = (events.clip, events.onset, events.offset, events.label, self.detected.confidence)
        for some in zip(*(torch.split(column, AT_ONCE) for column in columns), strict=True):
            for clip, onset, offset, label, confidence in zip(*(part.tolist() for part in some), strict=True):
                yield names[clip], *written_times(onset, offset), labels[label], f"{confidence:.6g}"
        silent = torch.ones(len(names), dtype=torch.bool)
        silent[events.clip] = False
        for some_clips in torch.split(silent.nonzero().flatten(), AT_ONCE):
            yield from ((names[clip], "", "", "", "") for clip in some_clips.tolist())

    def draw_curves(self, path: Path, place: int, sound: Clip, frontend: Frontend, device: torch.device) -> None:
        """Draw the curves of a clip below its features."""
        one = self.scores.select(torch.tensor([place]))
        seconds = float(one.durations[0])
        start = sound.start or 0.0
        samples = torch.from_numpy(audio.read(sound.path, frontend.sample_rate, start, seconds))[None]
        with torch.no_grad():
            features, _ = frontend(samples.to(device), torch.tensor([samples.shape[1]], device=device))
        picture = pictures.ClipPicture(
            title=self.scores.clip_ids[place],
            features=features[0, : frontend.n_drawn].cpu(),
            feature_axis=frontend.axis,
            seconds=seconds,
            frame_rate=one.frame_rate,
            scores=one.need_frames()[0],
            curves=self.decoder.curves(one).need_frames()[0],
            thresholds=np.broadcast_to(self.decoder.threshold, len(self.labels)).tolist(),
            true=_rows(self.truth.events, place),
            detected=_rows(self.detected.events, place),
        )
        pictures.curves(path, picture, self.labels)


def _rows(events: Events, clip: int) -> Rows:
    of_clip = events[events.clip == clip]
    return list(zip(of_clip.label.tolist(), of_clip.onset.tolist(), of_clip.offset.tolist(), strict=True))
