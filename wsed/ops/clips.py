"""Parts of a batch: some of its clips, or its labels."""

from dataclasses import replace

import torch
from jaxtyping import Int
from torch import Tensor

from wsed.transfer import on_cpu
from wsed.types import Batch, Events


def take(batch: Batch, rows: Int[Tensor, " taken"]) -> Batch:
    """Some of the clips with their events, in the order of their indices, each at most once.

    >>> from wsed import testing
    >>> take(testing.batch(), torch.tensor([3, 0])).clip_ids
    ('clip_3.wav', 'clip_0.wav')
    """
    place = torch.full((len(batch),), -1, dtype=torch.long, device=rows.device)
    place[rows] = torch.arange(len(rows), device=rows.device)
    kept = batch.events[place[batch.events.clip] >= 0]
    events = Events(place[kept.clip], kept.label, kept.onset, kept.offset, kept.gain, kept.group)
    taken = {name: value[rows] for name, value in vars(batch).items() if isinstance(value, Tensor)}
    ids = tuple(batch.clip_ids[row] for row in rows.tolist())
    return replace(batch, **taken, events=events, clip_ids=ids)  # type: ignore[arg-type]


def labels_on_cpu(batch: Batch) -> Batch:
    """The batch on the CPU, without waiting for an accelerator if `to` moved it; audio and features have no values.

    >>> from wsed import testing
    >>> labels = labels_on_cpu(testing.batch(n_clips=2))
    >>> labels.n_samples.tolist(), labels.samples().shape, labels.samples().device.type
    ([8000, 4800], torch.Size([2, 8000]), 'meta')
    """
    tensors = {name: value for name, value in vars(batch).items() if isinstance(value, Tensor)}
    known = {n: v.to("meta") if n in ("audio", "features") else on_cpu(v) for n, v in tensors.items()}
    return replace(batch, **known, events=Events(*map(on_cpu, batch.events.columns)))  # type: ignore[arg-type]
