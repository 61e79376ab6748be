"""`Collate` makes a batch of the items that a reader returns."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from wsed.data.clip_table import ClipTable
from wsed.data.reading.base import Item
from wsed.types import Batch, Events


class Collate:
    """Makes a batch: pads the items to the longest clip, and takes tags and events from the table.

    Args:
        table: the clips.
        silence: the features of silence, one value per band, used as padding; None: zeros.
    """

    def __init__(self, table: ClipTable, silence: NDArray[np.float32] | None = None) -> None:
        self.table, self.silence = table, silence

    def __call__(self, items: Sequence[Item]) -> Batch:
        """A batch in the order of the items."""
        table, index = self.table, torch.tensor([item.index for item in items])
        first, last = table.first_event[index], table.first_event[index + 1]
        label, onset, offset = _taken(table.events, first, last).unbind(1)
        sure = table.event_confidence
        gain = torch.ones_like(onset) if sure is None else _taken(sure, first, last)
        clip = torch.repeat_interleave(torch.arange(len(items)), last - first)
        n_samples = torch.tensor([item.n_samples for item in items])
        annotated = table.annotated[table.source[index]] & (n_samples > 0)[:, None]  # nothing is known of fillers
        tags = table.tags_of(index)
        unsure = torch.zeros_like(annotated) if table.unsure is None else table.unsure[index]
        return Batch(
            audio=_padded_audio(items),
            n_samples=n_samples,
            clip_labels=tags,
            tagged=table.tagged[index, None] & annotated & ~(unsure & (tags == 0)),
            events=Events(clip, label.long(), onset, offset, gain),
            timed=table.timed[index, None] & annotated & ~unsure,
            source=table.source[index],
            sources=table.sources,
            clip_ids=tuple(table.clips[i].id for i in index.tolist()),
            features=_padded_features(items, self.silence),
            full=0 < min(n_samples.tolist()) == max(n_samples.tolist()),
        )


def _taken(values: Tensor, first: Int[Tensor, " clip"], last: Int[Tensor, " clip"]) -> Tensor:
    """The rows of some clips, each from `first` to `last`."""
    return torch.cat([values[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)])


def _padded_audio(items: Sequence[Item]) -> Float[Tensor, "clip sample"] | None:
    """The audio, padded with zeros; None if features were read."""
    samples = [item.audio for item in items if item.audio is not None]
    if len(samples) < len(items):
        return None
    audio = torch.zeros(len(items), max(map(len, samples)))
    for row, of_clip in enumerate(samples):
        audio[row, : len(of_clip)] = torch.from_numpy(of_clip)
    return audio


def _padded_features(
    items: Sequence[Item], silence: NDArray[np.float32] | None
) -> Float[Tensor, "clip band frame"] | None:
    """The features, padded with those of silence; None if audio was read."""
    features = [item.features for item in items if item.features is not None]
    if len(features) < len(items):
        return None
    n_bands, n_frames = features[0].shape[0], max(of_clip.shape[1] for of_clip in features)
    padded = torch.zeros(len(items), n_bands, n_frames)
    if silence is not None:
        padded += torch.from_numpy(silence)[:, None]
    for row, of_clip in enumerate(features):
        padded[row, :, : of_clip.shape[1]] = torch.from_numpy(np.ascontiguousarray(of_clip))
    return padded
