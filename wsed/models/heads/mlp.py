"""A classifier of clip embeddings."""

from torch import nn

from wsed.models.base import HEADS, Head
from wsed.models.heads.embedding import Aggregation, Learned, Plain
from wsed.types import Encoded, Output


@HEADS.register("mlp")
class MLP(Head):
    """Two dense layers on the clip embedding: the classifier of Turpault et al. 2020.

    From 130 dimensions to 10 classes it has 4,522 parameters, as in the authors' code. Train it with the loss
    `clip_bce`.

    Args:
        dim: dimension of the frame embeddings.
        n_labels: number of classes.
        hidden: units of the first layer.
        dropout: dropout between the layers.
        aggregation: how frame embeddings become the clip embedding: `mean`, `attention`, `max` or `gated`; see the head
            `embedding`.

    Raises:
        WsedError: the aggregation is unknown.

    >>> import torch
    >>> valid = torch.ones(2, 5, dtype=torch.bool)
    >>> MLP(dim=4, n_labels=3)(Encoded(torch.randn(2, 5, 4), valid)).clip_logits.shape
    torch.Size([2, 3])
    """

    provides = frozenset({"clip_logits", "clip_embedding", "valid"})

    def __init__(
        self, dim: int, n_labels: int, hidden: int = 32, dropout: float = 0.2, aggregation: Plain | Learned = "mean"
    ) -> None:
        super().__init__()
        self.aggregate = Aggregation(dim, aggregation)
        self.layers = nn.Sequential(
            nn.Linear(dim, hidden), nn.LeakyReLU(0.2), nn.Dropout(dropout), nn.Linear(hidden, n_labels)
        )

    def forward(self, encoded: Encoded) -> Output:
        embedding = self.aggregate(encoded.frames, encoded.valid)
        return Output(clip_logits=self.layers(embedding), clip_embedding=embedding, valid=encoded.valid)
