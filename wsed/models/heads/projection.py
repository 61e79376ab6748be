"""Projected frame embeddings for a metric learning loss."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wsed.models.base import HEADS, Head
from wsed.models.init import keras_init
from wsed.types import Encoded, Output


@HEADS.register("projection")
class Projection(Head):
    """One dense layer on each frame: the branch of the frame pairwise distance loss (Tao et al. 2023, section 2).

    Use it after a head that classifies: `head: [clip_attention, projection]`. Its embeddings replace those of the head
    before it, so that a loss on `embeddings` does not act directly on the frames that the classifier reads.

    Args:
        dim: dimension of the encoder's frame embeddings.
        n_labels: unused.
        size: dimension of the projected embeddings.
        activation: `none`, `relu` or `tanh`.
        normalise: L2-normalise each embedding.

    >>> valid = torch.ones(2, 5, dtype=torch.bool)
    >>> Projection(dim=4, n_labels=3, size=8)(Encoded(torch.zeros(2, 5, 4), valid)).embeddings.shape
    torch.Size([2, 5, 8])
    """

    provides = frozenset({"embeddings", "valid"})

    def __init__(
        self,
        dim: int,
        n_labels: int,
        size: int = 128,
        activation: Literal["none", "relu", "tanh"] = "none",
        normalise: bool = False,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, size)
        self.activation, self.normalise = activation, normalise
        keras_init(self)

    def forward(self, encoded: Encoded) -> Output:
        embeddings: Tensor = self.linear(encoded.frames)
        if self.activation != "none":
            embeddings = {"relu": torch.relu, "tanh": torch.tanh}[self.activation](embeddings)
        if self.normalise:
            embeddings = F.normalize(embeddings.float(), dim=2)
        return Output(embeddings=embeddings, valid=encoded.valid)
