"""Scores of a clip from several attended parts of it."""

import torch
from torch import nn

from wsed.models.base import HEADS, Head
from wsed.models.heads.clip_attention import attention_over_time
from wsed.models.heads.macro import dense_layers
from wsed.models.heads.tagging import mean_and_max
from wsed.models.init import he_init
from wsed.types import Encoded, Output


@HEADS.register("parts")
class Parts(Head):
    """Parts of a clip, each attended to by a softmax over time, and its mean; then the classifier of the head `macro`.

    The rival SPDA of Chou, Jang & Yang 2018 (Table 1), spatial attention on parts, in this library's reading: they give
    neither its layout nor its code. `e = [mean_t x_t, sum_t s_t1 x_t, ..., sum_t s_tP x_t]`, `s_p` a softmax over time
    of `w_p x_t + b_p`; two dense layers and a score per label follow. Beside the residual network it has 6.85 M
    weights with 8 parts and 17 classes, where they print 6.84 M. Train it with the loss `clip_bce`; in training a batch
    must hold two clips or more.

    Args:
        dim: of the embeddings.
        n_labels: classes.
        parts: P.
        hidden: width of the dense layers; the second is the `clip_embedding`.

    >>> valid = torch.ones(2, 5, dtype=torch.bool)
    >>> Parts(dim=4, n_labels=3)(Encoded(torch.randn(2, 5, 4), valid)).clip_logits.shape
    torch.Size([2, 3])
    """

    provides = frozenset({"clip_logits", "clip_embedding", "valid"})

    def __init__(self, dim: int, n_labels: int, parts: int = 8, hidden: int = 1024) -> None:
        super().__init__()
        self.att = nn.Linear(dim, parts)
        self.dense = dense_layers((1 + parts) * dim, hidden)
        self.linear = nn.Linear(hidden, n_labels)
        he_init(self)

    def forward(self, encoded: Encoded) -> Output:
        weights = attention_over_time(self.att(encoded.frames).float(), encoded.valid)
        parts = torch.einsum("ctp,ctd->cpd", weights, encoded.frames.float()).flatten(1)
        mean, _ = mean_and_max(encoded.frames, encoded.valid).chunk(2, dim=1)
        embedding = self.dense(torch.cat([mean, parts], dim=1))
        return Output(clip_logits=self.linear(embedding), clip_embedding=embedding, valid=encoded.valid)
