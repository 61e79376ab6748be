"""Two scores per frame and label: what it sounds like, and how much it counts for the clip."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.models.base import HEADS, Head
from wsed.models.init import keras_init
from wsed.ops.pooling import EPS, pool
from wsed.types import Encoded, Output


@HEADS.register("attention")
class Attention(Head):
    """Attention pooling: `clip = sum_t cla att / sum_t att`, `cla = sigmoid(W1 h)`, `att = softmax(W2 h)`.

    Xu et al. 2017, "Large-scale weakly supervised audio classification using gated convolutional neural network", and
    the ATT row of Pellegrini & Cances 2019. Train it with the loss `clip_bce`; with `strong_from: cla` the loss `mil`
    with `pooling: attention` is the same.

    Args:
        dim: of the embeddings.
        n_labels: classes.
        softmax: over what `att` sums to one: `class` (Xu et al.'s code) or `time`.
        strong_from: what the frame logits are of: `att` (as in Pellegrini & Cances: the softmax localises), `cla`, or
            `product` of both.
        dropout: on the embeddings.
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


def attend(
    cla_logits: Float[Tensor, "clip frame label"],
    att_logits: Float[Tensor, "clip frame label"],
    valid: Bool[Tensor, "clip frame"] | None = None,
    over: Literal["class", "time"] = "class",
) -> tuple[Float[Tensor, "clip frame label"], Float[Tensor, "clip label"]]:
    """The attention, a softmax over classes or valid frames, and the clip logits it gives.

    Args:
        cla_logits: of each frame, float32 or wider.
        att_logits: what the softmax is of, float32 or wider.
        valid: frames that hold signal.
        over: the axis of the softmax.
    """
    if valid is not None and over == "time":
        att_logits = _drop(att_logits, valid)
    log_attention = att_logits.log_softmax({"class": 2, "time": 1}[over])
    # Divided by its sum over time before the exponential: with many classes the sum itself may vanish.
    weights = (log_attention if valid is None else _drop(log_attention, valid)).softmax(1)
    return log_attention.exp(), pool(cla_logits, "attention", valid, attention=weights)


def _strong(cla_logits: Tensor, attention: Tensor, strong_from: str) -> Tensor:
    if strong_from == "cla":
        return cla_logits
    scores = {"att": attention, "product": attention * torch.sigmoid(cla_logits)}[strong_from]
    return torch.logit(scores, eps=EPS)


def _drop(logits: Tensor, valid: Tensor) -> Tensor:
    return torch.where(valid[..., None], logits, torch.finfo(logits.dtype).min)
