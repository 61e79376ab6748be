"""The scores of an evaluation, one row a clip, gathered over ranks."""

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from wsed.ops.reduce import world_size
from wsed.types import Batch, Events, Output


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
                tagged=bool(batch.tagged[i]),
                events=torch.stack(times, dim=1),
                timed=bool(batch.timed[i]),
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
