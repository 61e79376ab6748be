"""Frame embeddings for a metric loss."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wsed.models.base import HEADS, Head
from wsed.models.init import keras_init
from wsed.types import Encoded, Output


@HEADS.register("projection")
class Projection(Head):
    """One dense layer on each frame: the branch of the Frame Pairwise Distance loss (Tao et al. 2023, section 2).

    Used beside a head that classifies, `head: [clip_attention, projection]`: its embeddings replace those of the head
    before it, so that a loss that reads `embeddings` leaves the classifier's own frames to the classifier.

    Args:
        dim: of the encoder's frames.
        n_labels: unused.
        size: of the embeddings.
        activation: `none`, `relu` or `tanh`.
        normalise: L2-normalise each embedding.
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
