"""Attention pooling of scores: a class score and an attention weight per frame and label."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.literals import checked
from wsed.models.base import HEADS, Head
from wsed.models.init import keras_init
from wsed.ops.pooling import EPS, pool
from wsed.types import Encoded, Output


@HEADS.register("attention")
class Attention(Head):
    """Attention pooling: `clip = sum_t cla att / sum_t att`, `cla = sigmoid(W1 h)`, `att = softmax(W2 h)`.

    Xu et al. 2017, "Large-scale weakly supervised audio classification using gated convolutional neural network"; row
    ATT of Pellegrini & Cances 2019. Train it with the loss `clip_bce`. With `strong_from: cla`, the loss `mil` with
    `pooling: attention` gives the same value, unless the attention of a class sums to less than 1e-7 over a clip.

    Args:
        dim: dimension of the frame embeddings.
        n_labels: number of classes.
        softmax: axis of the softmax: `class` (as in the code of Xu et al.) or `time`.
        strong_from: frame scores: `att` (as in Pellegrini & Cances 2019), `cla`, or the `product` of both.
        dropout: dropout of the embeddings.

    >>> valid = torch.ones(2, 5, dtype=torch.bool)
    >>> Attention(dim=4, n_labels=3)(Encoded(torch.randn(2, 5, 4), valid)).attention.shape
    torch.Size([2, 5, 3])
    """

    provides = frozenset({"frame_logits", "clip_logits", "attention", "embeddings", "valid"})

    def __init__(
        self,
        dim: int,
        n_labels: int,
        softmax: Literal["class", "time"] = "class",
        strong_from: Literal["att", "cla", "product"] = "att",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.softmax, self.strong_from = softmax, strong_from
        self.dropout = nn.Dropout(dropout)
        self.cla = nn.Linear(dim, n_labels)
        self.att = nn.Linear(dim, n_labels)
        keras_init(self)

    def forward(self, encoded: Encoded) -> Output:
        frames = self.dropout(encoded.frames)
        cla_logits, att_logits = self.cla(frames).float(), self.att(frames).float()
        attention, clip_logits = attend(cla_logits, att_logits, encoded.valid, over=self.softmax)
        return Output(
            frame_logits=_strong(cla_logits, attention, self.strong_from),
            clip_logits=clip_logits,
            attention=attention,
            embeddings=encoded.frames,
            valid=encoded.valid,
        )


@checked
def attend(
    cla_logits: Float[Tensor, "clip frame label"],
    att_logits: Float[Tensor, "clip frame label"],
    valid: Bool[Tensor, "clip frame"] | None = None,
    over: Literal["class", "time"] = "class",
) -> tuple[Float[Tensor, "clip frame label"], Float[Tensor, "clip label"]]:
    """Attention weights by a softmax over classes or valid frames, and clip logits by attention pooling.

    Args:
        cla_logits: class logits per frame, at least float32.
        att_logits: input of the softmax, at least float32.
        valid: frames that hold signal; all if None.
        over: axis of the softmax: `class` or `time`.

    >>> attention, clip_logits = attend(torch.zeros(1, 4, 2), torch.zeros(1, 4, 2))
    >>> attention[0, 0], clip_logits
    (tensor([0.5000, 0.5000]), tensor([[0., 0.]]))
    """
    if valid is not None and over == "time":
        att_logits = _mask(att_logits, valid)
    log_attention = att_logits.log_softmax({"class": 2, "time": 1}[over])
    # A softmax of the logarithm normalises over time. With many classes, the plain sum over time may underflow.
    weights = (log_attention if valid is None else _mask(log_attention, valid)).softmax(1)
    return log_attention.exp(), pool(cla_logits, "attention", valid, attention=weights)


def _strong(cla_logits: Tensor, attention: Tensor, strong_from: str) -> Tensor:
    if strong_from == "cla":
        return cla_logits
    scores = {"att": attention, "product": attention * torch.sigmoid(cla_logits)}[strong_from]
    return torch.logit(scores, eps=EPS)


def _mask(logits: Tensor, valid: Tensor) -> Tensor:
    return torch.where(valid[..., None], logits, torch.finfo(logits.dtype).min)
