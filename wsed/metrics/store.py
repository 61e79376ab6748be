"""The scores of an evaluation, one row a clip, gathered over ranks."""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
import torch.distributed as dist
from torch import Tensor

from wsed.metrics.detections import Detections as EventSides
from wsed.metrics.detections import FrameScores, Tags
from wsed.metrics.scores import System
from wsed.ops.reduce import world_size
from wsed.types import Batch, Events, Labels, Output
from wsed.values import Detections, Scores, Truth


@runtime_checkable
class Decode(Protocol):
    """A decoder, see `wsed.decoding.Decoder`."""

    @property
    def tag_threshold(self) -> float | list[float]:
        """A class is predicted to be in a clip if its clip score is above it."""

    def __call__(self, scores: Scores, tags: Tensor | None = None) -> Detections:
        """The events of each clip."""

    def ranked(self, scores: Scores, tags: Tensor | None = None) -> Scores:
        """What PSDS ranks."""


@dataclass(frozen=True)
class Row:
    """One clip: its scores and what is known of it. `events` is `[event 3]`: label, onset, offset."""

    frame_scores: Tensor | None
    clip_scores: Tensor | None
    duration: float
    tags: Tensor
    tagged: bool
    events: Tensor
    timed: bool
    embedding: Tensor | None = None


class ScoreStore:
    """Collects what a network says of each clip; a clip seen twice (padding of a sampler) counts once."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.frame_rate = 0.0

    def __len__(self) -> int:
        return len(self.rows)

    def update(self, output: Output, batch: Batch, sample_rate: int) -> None:
        """Add a batch; scores go to the CPU, padded frames are left out."""
        self.frame_rate = output.frame_rate or self.frame_rate
        frames = None if output.frame_logits is None else output.frame_scores.detach().cpu()
        clips = None if output.clip_logits is None else output.clip_scores.detach().cpu()
        points = None if output.clip_embedding is None else output.clip_embedding.detach().float().cpu()
        lengths = None if output.valid is None else output.valid.sum(1).tolist()
        batch = batch.to("cpu")
        for i, name in enumerate(batch.clip_ids):
            mine = batch.events.clip == i
            times = [batch.events.label[mine].double(), batch.events.onset[mine], batch.events.offset[mine]]
            self.rows[name] = Row(
                frame_scores=None if frames is None else frames[i, : lengths[i] if lengths else None].clone(),
                clip_scores=None if clips is None else clips[i].clone(),
                duration=int(batch.n_samples[i]) / sample_rate,
                tags=batch.clip_labels[i].clone(),
                tagged=bool(batch.tagged[i].all()),
                events=torch.stack(times, dim=1),
                timed=bool(batch.timed[i].all()),
                embedding=None if points is None else points[i].clone(),
            )

    def gather(self) -> "ScoreStore":
        """The rows of all ranks, sorted by clip id: the same on each rank, whatever the number of ranks."""
        parts = [(self.rows, self.frame_rate)] * world_size()
        if world_size() > 1:
            dist.all_gather_object(parts, (self.rows, self.frame_rate))
        whole = ScoreStore()
        merged = {name: row for rows, _ in parts for name, row in rows.items()}
        whole.rows = dict(sorted(merged.items()))
        whole.frame_rate = max(rate for _, rate in parts)
        return whole

    @property
    def clip_ids(self) -> tuple[str, ...]:
        """Names of the clips, in the order of every other view."""
        return tuple(self.rows)

    def frame_scores(self) -> tuple[Tensor, Tensor] | None:
        """`[clip frame label]` scores, padded with zeros, and `[clip frame]` which frames are real; None if none."""
        scores = [row.frame_scores for row in self.rows.values() if row.frame_scores is not None]
        if not scores:
            return None
        padded = torch.nn.utils.rnn.pad_sequence(scores, batch_first=True)
        lengths = torch.tensor([len(s) for s in scores])
        return padded, torch.arange(padded.shape[1]) < lengths[:, None]

    def clip_scores(self) -> Tensor | None:
        """`[clip label]`; None if the network gives none."""
        scores = [row.clip_scores for row in self.rows.values() if row.clip_scores is not None]
        return torch.stack(scores) if scores and len(scores) == len(self.rows) else None

    def embeddings(self) -> Tensor | None:
        """`[clip dim]`; None if the network gives none."""
        points = [row.embedding for row in self.rows.values() if row.embedding is not None]
        return torch.stack(points) if points and len(points) == len(self.rows) else None

    def durations(self) -> Tensor:
        """`[clip]`, seconds."""
        return torch.tensor([row.duration for row in self.rows.values()], dtype=torch.float64)

    def tags(self) -> tuple[Tensor, Tensor]:
        """`[clip label]` tags and `[clip]` whether they are known."""
        rows = self.rows.values()
        return torch.stack([r.tags for r in rows]), torch.tensor([r.tagged for r in rows])

    def events(self) -> tuple[Events, Tensor]:
        """The true events of all clips and `[clip]` whether they are known."""
        rows = list(self.rows.values())
        clip = torch.repeat_interleave(torch.arange(len(rows)), torch.tensor([len(r.events) for r in rows]))
        label, onset, offset = torch.cat([r.events for r in rows]).unbind(1)
        events = Events(clip, label.long(), onset, offset, torch.ones_like(onset))
        return events, torch.tensor([r.timed for r in rows])

    def detected(self, decoder: Decode) -> Events:
        """The events a system detects; clip indices are those of `clip_ids`. None without frame scores (a tagger)."""
        if self.frame_scores() is None:
            return Events.of([])
        return decoder(self.scores(), self.known_tags()).events

    def scores(self) -> Scores:
        """What the network predicts for all clips."""
        rows = list(self.rows.values())
        clips = [row.frame_scores for row in rows if row.frame_scores is not None]
        tags, points = self.clip_scores(), self.embeddings()
        if len(clips) < len(rows) or not rows:
            return Scores(self.clip_ids, self.durations(), clip_scores=tags, embeddings=points)
        whole = Scores.of_clips(self.clip_ids, clips, self.frame_rate, self.durations(), tags)
        return replace(whole, embeddings=points)

    def truth(self) -> Truth:
        """What is true of all clips."""
        (tags, tagged), (events, timed) = self.tags(), self.events()
        return Truth(tags > 0.5, tagged[:, None].expand_as(tags), events, timed[:, None].expand_as(tags))

    def system(self, labels: Labels, decoder: Decode, detected: Events | None = None) -> System:
        """What is scored: events on the clips whose events are known, tags on those whose tags are known.

        Args:
            labels: the classes.
            decoder: from scores to events and to the scores that PSDS ranks; its `tag_threshold` decides on tags.
            detected: the events of all clips, where they were decoded already.
        """
        detected = self.detected(decoder) if detected is None else detected
        return System(labels, self._detections(len(labels), decoder, detected), self._tags(decoder.tag_threshold))

    def known_tags(self) -> Tensor | None:
        """The true tags; None if those of some clips are not known."""
        tags, tagged = self.tags()
        return tags > 0.5 if bool(tagged.all()) else None

    def _detections(self, n_labels: int, decoder: Decode, detected: Events) -> EventSides | None:
        truth, timed = self.events()
        scores = self.frame_scores()
        if scores is None or not bool(timed.any()):
            return None
        place = timed.cumsum(0) - 1
        reference, detected = (
            replace(kept, clip=place[kept.clip]) for kept in (e[timed[e.clip]] for e in (truth, detected))
        )
        ranked, valid = decoder.ranked(self.scores(), self.known_tags()).padded()
        frames = FrameScores(ranked[timed], self.frame_rate, valid=valid[timed])
        return EventSides(n_labels, int(timed.sum()), reference, detected, self.durations()[timed], frames)

    def _tags(self, threshold: float | list[float]) -> Tags | None:
        true, tagged = self.tags()
        scores = self.clip_scores()
        if scores is None or not bool(tagged.any()):
            return None
        return Tags((true > 0.5)[tagged], (scores > scores.new_tensor(threshold))[tagged], scores[tagged])
