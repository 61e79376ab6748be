"""Scores of a clip as a whole: what is in it, not when."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.models.base import HEADS, Head
from wsed.models.init import keras_init
from wsed.types import Encoded, Output


@HEADS.register("tagging")
class Tagging(Head):
    """Mean and maximum over the clip's frames, a dense layer, and a score per label (Pellegrini & Cances 2019).

    With the encoder `cnn` it is the audio tagging network of Pellegrini & Cances 2019. After another head on one
    encoder (`head: [framewise, tagging]`) its clip logits replace those of that head.

    Args:
        dim: of the embeddings.
        n_labels: classes.
        hidden: width of the dense layer, the `clip_embedding`.
        dropout: on the clip embedding: 0.2 in their paper, 0.5 in their notebook.
    """

    provides = frozenset({"clip_logits", "clip_embedding", "valid"})

    def __init__(self, dim: int, n_labels: int, hidden: int = 1024, dropout: float = 0.2) -> None:
        super().__init__()
        self.dense = nn.Linear(2 * dim, hidden)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden, n_labels)
        keras_init(self)

    def forward(self, encoded: Encoded) -> Output:
        embedding = torch.relu(self.dense(mean_and_max(encoded.frames, encoded.valid)))
        return Output(clip_logits=self.linear(self.dropout(embedding)), clip_embedding=embedding, valid=encoded.valid)


def mean_and_max(
    frames: Float[Tensor, "clip frame dim"], valid: Bool[Tensor, "clip frame"]
) -> Float[Tensor, "clip twice_dim"]:
    """Mean and maximum over the valid frames, float32, one after the other; zeros for a clip without any."""
    frames, kept = frames.float(), valid[..., None]
    mean = torch.where(kept, frames, 0.0).sum(1) / kept.sum(1).clamp(min=1)
    largest = torch.where(kept, frames, torch.finfo(frames.dtype).min).amax(1)
    return torch.cat([mean, torch.where(kept.any(1), largest, 0.0)], dim=1)
