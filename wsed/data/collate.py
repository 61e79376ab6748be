"""From items to a batch."""

from collections.abc import Sequence

import torch

from wsed.data.clip_table import ClipTable
from wsed.data.reading.files import Item
from wsed.types import Batch, Events


class Collate:
    """Pads the audio with zeros to the longest clip and gathers what the table knows of the clips."""

    def __init__(self, table: ClipTable) -> None:
        self.table = table

    def __call__(self, items: Sequence[Item]) -> Batch:
        """A batch in the order of the items."""
        table, index = self.table, torch.tensor([i for i, _ in items])
        n_samples = torch.tensor([len(a) for _, a in items])
        audio = torch.zeros(len(items), int(n_samples.max()))
        for row, (_, samples) in enumerate(items):
            audio[row, : len(samples)] = torch.from_numpy(samples)
        first, last = table.first_event[index], table.first_event[index + 1]
        label, onset, offset = torch.cat([table.events[a:b] for a, b in zip(first, last, strict=True)]).unbind(1)
        clip = torch.repeat_interleave(torch.arange(len(items)), last - first)
        return Batch(
            audio=audio,
            n_samples=n_samples,
            clip_labels=table.tags_of(index),
            tagged=table.tagged[index, None].repeat(1, table.n_labels),
            events=Events(clip, label.long(), onset, offset, torch.ones_like(onset)),
            timed=table.timed[index, None].repeat(1, table.n_labels),
            source=table.source[index],
            sources=table.sources,
            clip_ids=tuple(table.clips[i].id for i in index.tolist()),
        )
