"""Clip scores from several parts of a clip, selected by attention."""

import torch
from torch import nn

from wsed.models.base import HEADS, Head
from wsed.models.heads.clip_attention import attention_over_time
from wsed.models.heads.macro import check_clips, dense_layers
from wsed.models.heads.tagging import mean_and_max
from wsed.models.init import he_init
from wsed.types import Encoded, Output


@HEADS.register("parts")
class Parts(Head):
    """The mean over the clip and P weighted means (parts), then the classifier of the head `macro`.

    `e = [mean_t x_t, sum_t s_t1 x_t, ..., sum_t s_tP x_t]`, where `s_p` is a softmax over time of `w_p x_t + b_p`. Two
    dense layers and one score per label follow. This is the system SPDA (spatial attention on parts) in Table 1 of
    Chou, Jang & Yang 2018, in this library's reading: they publish neither its layout nor its code. With the encoder
    `resnet1d`, 8 parts and 17 classes it has 6.85 M weights; they print 6.84 M. Train it with the loss `clip_bce`. In
    training, a batch must hold two clips or more.

    Args:
        dim: dimension of the frame embeddings.
        n_labels: number of classes.
        parts: number of parts P.
        hidden: units of the dense layers; the output of the second is the `clip_embedding`.

    Raises:
        WsedError: in `forward`: a training batch holds one clip only.

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
        check_clips(self.dense, len(mean), "parts")
        embedding = self.dense(torch.cat([mean, parts], dim=1))
        return Output(clip_logits=self.linear(embedding), clip_embedding=embedding, valid=encoded.valid)
