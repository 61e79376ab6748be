"""What an evaluation leaves in the run's folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsed.data import audio, table
from wsed.data.clip import Clip
from wsed.decoding import BoxDecoder, Decoder
from wsed.metrics.store import ScoreStore
from wsed.models.base import Network
from wsed.report import figures
from wsed.report.embeddings import write_embeddings
from wsed.report.scores import write_json
from wsed.types import Events, Labels


@dataclass(frozen=True)
class Evaluation:
    """Scores of one set of clips and the events detected in them."""

    store: ScoreStore
    detected: Events
    scores: dict[str, Any]
    labels: Labels
    decoder: Decoder | BoxDecoder

    def write(self, folder: Path, clips: Mapping[str, Clip], network: Network) -> None:
        """`predictions.tsv`, `frame_scores.npz`, `clip_scores.npz`, `scores.json`, `class_f1.png` and `curves.png`.

        Of networks whose clip embeddings are judged, also `embeddings.npz` and `embeddings.png`.

        Args:
            folder: made where it is missing.
            clips: by id, for the spectrogram.
            network: its frontend draws the spectrogram.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if self.scores:
            write_json(folder / "scores.json", self.scores)
            figures.class_f1(folder / "class_f1.png", self.scores)
            if "embedding" in self.scores:
                write_embeddings(folder, self.store, self.labels, self.scores["embedding"])
        names: dict[str, Any] = {"clip_ids": np.array(self.store.clip_ids), "labels": np.array(self.labels.names)}
        clip_scores = self.store.clip_scores()
        if clip_scores is not None:
            np.savez_compressed(folder / "clip_scores.npz", **names, clip_scores=clip_scores.numpy())
        frame_scores = self.store.frame_scores()
        if frame_scores is None:
            return
        self.write_predictions(folder / "predictions.tsv")
        np.savez_compressed(
            folder / "frame_scores.npz",
            **names,
            frame_scores=frame_scores[0].numpy().astype(np.float32),
            valid=frame_scores[1].numpy(),
            frame_rate=self.store.frame_rate,
        )
        name = figures.richest(self.store.rows)
        if name in clips and hasattr(network, "frontend"):
            self.draw_curves(folder / "curves.png", name, clips[name], network)

    def write_predictions(self, path: Path) -> None:
        """The detected events in DESED's columns; a clip without events has a row with its name only."""
        rows: list[tuple[object, ...]] = []
        events = self.detected
        names, labels = self.store.clip_ids, self.labels.names
        for clip, label, onset, offset in zip(
            events.clip.tolist(), events.label.tolist(), events.onset.tolist(), events.offset.tolist(), strict=True
        ):
            rows.append((names[clip], onset, offset, labels[label]))
        silent = set(range(len(names))) - set(events.clip.tolist())
        rows += [(names[clip], "", "", "") for clip in sorted(silent)]
        table.write_rows(path, ("filename", "onset", "offset", "event_label"), rows)

    def draw_curves(self, path: Path, name: str, sound: Clip, network: Network) -> None:
        """The curves of one clip over its spectrogram."""
        row = self.store.rows[name]
        assert row.frame_scores is not None
        start = sound.start or 0.0
        samples = torch.from_numpy(audio.read(sound.path, network.sample_rate, start, row.duration))[None]
        device = next(network.parameters()).device
        frontend: Any = network.frontend
        with torch.no_grad():
            features, _ = frontend(samples.to(device), torch.tensor([samples.shape[1]], device=device))
        smoothed = self.decoder.curves(row.frame_scores[None], self.store.frame_rate)[0]
        clip = self.store.clip_ids.index(name)
        mine = self.detected[self.detected.clip == clip]
        detected = list(zip(mine.label.tolist(), mine.onset.tolist(), mine.offset.tolist(), strict=True))
        levels = np.broadcast_to(self.decoder.threshold, len(self.labels)).tolist()
        figures.curves(
            path, features[0].cpu(), row, smoothed, detected, self.labels, self.store.frame_rate, name, levels
        )
