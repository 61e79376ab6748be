"""One score per frame and label, pooled to one score per clip and label."""

from typing import Literal

from torch import nn

from wsed.models.base import HEADS, Head
from wsed.models.init import keras_init
from wsed.ops.pooling import pool
from wsed.types import Encoded, Output

PlainPooling = Literal["max", "mean", "linear_softmax", "exp_softmax", "noisy_or"]
"""Poolings that need only the scores."""


@HEADS.register("framewise")
class Framewise(Head):
    """A linear layer per frame; clip logits by pooling over time.

    Args:
        dim: dimension of the frame embeddings.
        n_labels: number of classes.
        pooling: `max`, `mean`, `linear_softmax`, `exp_softmax` or `noisy_or`; see `wsed.ops.pooling`.
        dropout: dropout of the embeddings.

    >>> import torch
    >>> valid = torch.ones(2, 5, dtype=torch.bool)
    >>> Framewise(dim=4, n_labels=3)(Encoded(torch.randn(2, 5, 4), valid)).frame_logits.shape
    torch.Size([2, 5, 3])
    """

    provides = frozenset({"frame_logits", "clip_logits", "embeddings", "valid"})

    def __init__(self, dim: int, n_labels: int, pooling: PlainPooling = "max", dropout: float = 0.0) -> None:
        super().__init__()
        self.pooling: PlainPooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(dim, n_labels)
        keras_init(self)

    def forward(self, encoded: Encoded) -> Output:
        frame_logits = self.linear(self.dropout(encoded.frames))
        clip_logits = pool(frame_logits, self.pooling, encoded.valid)
        return Output(
            frame_logits=frame_logits, clip_logits=clip_logits, embeddings=encoded.frames, valid=encoded.valid
        )
