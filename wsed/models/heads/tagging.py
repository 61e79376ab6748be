"""Clip scores without frame scores, for audio tagging."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.models.base import HEADS, Head
from wsed.models.init import keras_init
from wsed.types import Encoded, Output


@HEADS.register("tagging")
class Tagging(Head):
    """Mean and maximum over the frames of a clip, a dense layer, and one score per label (Pellegrini & Cances 2019).

    With the encoder `cnn` it is the audio tagging network of Pellegrini & Cances 2019. After another head
    (`head: [framewise, tagging]`), its clip logits replace those of that head.

    Args:
        dim: dimension of the frame embeddings.
        n_labels: number of classes.
        hidden: units of the dense layer, whose output is the `clip_embedding`.
        dropout: dropout of the clip embedding: 0.2 in the article, 0.5 in the authors' notebook.

    >>> valid = torch.ones(2, 5, dtype=torch.bool)
    >>> Tagging(dim=4, n_labels=3)(Encoded(torch.randn(2, 5, 4), valid)).clip_logits.shape
    torch.Size([2, 3])
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
    """Mean and maximum over the valid frames, concatenated, float32; zeros for clips without valid frames.

    >>> mean_and_max(torch.tensor([[[1.0], [3.0]]]), torch.ones(1, 2, dtype=torch.bool))
    tensor([[2., 3.]])
    """
    frames, kept = frames.float(), valid[..., None]
    mean = torch.where(kept, frames, 0.0).sum(1) / kept.sum(1).clamp(min=1)
    largest = torch.where(kept, frames, torch.finfo(frames.dtype).min).amax(1)
    return torch.cat([mean, torch.where(kept.any(1), largest, 0.0)], dim=1)
