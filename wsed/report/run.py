"""The files that an evaluation writes into the folder of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from wsed.data import audio, table
from wsed.data.clip import Clip
from wsed.decoding.base import Decoder
from wsed.models.base import Frontend, Network
from wsed.report import pictures
from wsed.report.embeddings import write_embeddings
from wsed.scoring.formats.run_scores import write_scores
from wsed.scoring.report import Report
from wsed.split_folder import SplitFolder
from wsed.truth import Truth
from wsed.types import Events, Labels
from wsed.values import Detections, Scores

Rows = list[tuple[int, float, float]]


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

    def write(self, folder: SplitFolder, clips: Mapping[str, Clip], network: Network) -> None:
        """Write the files of an evaluation: report, scores, detected events, pictures, and embeddings if evaluated.

        Args:
            folder: folder of the split; it is created if it is missing.
            clips: clips by id, for the picture of the features.
            network: network whose frontend computes the features.
        """
        folder.path.mkdir(parents=True, exist_ok=True)
        if self.report is not None:
            self.report.without_curves().write(folder.report)
            pictures.class_f1(folder.picture("class_f1"), self.report)
            embedding = self.report.computed.get("embedding")
            if embedding is not None:
                write_embeddings(folder, self.scores, self.truth, self.labels, embedding.numbers)
        write_scores(folder.path, self.scores, self.labels)
        if self.scores.frames is None:
            return
        self.write_predictions(folder.predictions)
        place = pictures.richest(self.truth.events, len(self.truth))
        sound = clips.get(self.scores.clip_ids[place])
        frontend = next((part for part in network.modules() if isinstance(part, Frontend)), None)
        if sound is not None and frontend is not None:
            device = next(network.parameters()).device
            self.draw_curves(folder.picture("curves"), place, sound, frontend, device)

    def write_predictions(self, path: Path) -> None:
        """Write the detected events and confidences, in the columns of DESED; clips without events have only a name."""
        events, names, labels = self.detected.events, self.scores.clip_ids, self.labels.names
        clips = events.clip.tolist()
        columns = (events.onset, events.offset, events.label, self.detected.confidence)
        rows: list[tuple[object, ...]] = [
            (names[clip], onset, offset, labels[label], f"{confidence:.6g}")
            for clip, onset, offset, label, confidence in zip(clips, *(c.tolist() for c in columns), strict=True)
        ]
        rows += [(names[clip], "", "", "", "") for clip in sorted(set(range(len(names))) - set(clips))]
        table.write_rows(path, ("filename", "onset", "offset", "event_label", "confidence"), rows)

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
            features=features[0].cpu(),
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
