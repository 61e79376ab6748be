"""Frame scores and attention by convolutions over a few frames: the micro subnet of M&mnet."""

from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.models.base import HEADS, Head
from wsed.models.heads.clip_attention import attention_over_time
from wsed.models.heads.macro import dense_layers
from wsed.models.init import he_init
from wsed.ops.pooling import pool
from wsed.types import Encoded, Output

Norm = Literal["sum", "mean"]


@HEADS.register("micro")
class Micro(Head):
    """The micro subnet of M&mnet: frame scores `d_t` and an attention `a_t` that is the same for all labels.

    Chou, Jang & Yang 2018, Eq. 4-6: `a_t = sum_m softmax_t(v_tm)`, with one softmax over time for each of M aspects.
    Use it on any encoder beside a head with clip scores (`head: [macro, micro]`), with the loss `micro`. The network
    `mmnet` also averages the predictions of both heads.

    Alone, with `dense_detector` and `clip_scores`, it is one of three systems that Chou, Jang & Yang compare with:

    | system | `aspects` | loss |
    |---|---|---|
    | ATT | `null` | `clip_bce` |
    | WLAT | 0 | `clip_bce` |
    | SLAT | 0 | `false_strong` |

    Args:
        dim: dimension of the frame embeddings.
        n_labels: number of classes.
        kernel: width of the convolutions in frames, odd: 3 gives the published number of weights; 1 is that of the
            released code from 2019 on.
        dense_detector: compute frame scores by the dense layers of the head `macro` on each frame instead of a
            convolution.
        aspects: M, the number of aspects of the attention; `dim` if None, no attention if 0.
        attention_norm: sum of `a_t` over time: M with `sum`, as printed, or 1 with `mean`.
        clip_scores: also provide clip logits: the mean of the frame probabilities, weighted by the attention if there
            is one. They replace the clip logits of heads before this one.

    Raises:
        WsedError: the kernel is not odd, `aspects` is below 0, or the norm is unknown.

    >>> import torch
    >>> valid = torch.ones(2, 5, dtype=torch.bool)
    >>> Micro(dim=4, n_labels=3)(Encoded(torch.randn(2, 5, 4), valid)).frame_logits.shape
    torch.Size([2, 5, 3])
    """

    def __init__(
        self,
        dim: int,
        n_labels: int,
        kernel: int = 3,
        dense_detector: bool = False,
        aspects: int | None = None,
        attention_norm: Norm = "sum",
        clip_scores: bool = False,
    ) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise WsedError(f"head micro: kernel must be odd and 1 or more, not {kernel}")
        if aspects is not None and aspects < 0:
            raise WsedError(f"head micro: aspects must be 0 (no attention) or more, not {aspects}")
        self.attention_norm: Norm = attention_norm
        self.clip_scores = clip_scores
        self.dense = dense_layers(dim, 1024) if dense_detector else None
        size = (dim, kernel) if self.dense is None else (1024, 1)
        self.det = nn.Conv1d(size[0], n_labels, size[1], padding=size[1] // 2)
        aspects = dim if aspects is None else aspects
        self.att = nn.Conv1d(dim, aspects, kernel, padding=kernel // 2) if aspects else None
        fields = {"frame_logits", "embeddings", "valid"}
        self.provides = frozenset(fields | ({"attention"} if aspects else set()))
        if clip_scores:
            self.provides |= {"clip_logits"}
        he_init(self)

    def forward(self, encoded: Encoded) -> Output:
        frames, valid = encoded.frames, encoded.valid
        # padding is zero, like the zeros that a convolution adds at the end of an unpadded clip
        inputs = (frames * valid[..., None]).transpose(1, 2)
        hidden = inputs if self.dense is None else _each_frame(self.dense, inputs)
        frame_logits = self.det(hidden).transpose(1, 2)
        attention = None
        if self.att is not None:
            aspects = self.att(inputs).transpose(1, 2).float()
            attention = summed_attention(aspects, valid, self.attention_norm).expand_as(frame_logits)
        clip_logits = None
        if self.clip_scores:
            weights = {} if attention is None else {"attention": attention}
            clip_logits = pool(frame_logits, "attention" if weights else "mean", valid, **weights)
        return Output(
            frame_logits=frame_logits, clip_logits=clip_logits, attention=attention, embeddings=frames, valid=valid
        )


@checked
def summed_attention(
    aspects: Float[Tensor, "clip frame aspect"], valid: Bool[Tensor, "clip frame"], norm: Norm = "sum"
) -> Float[Tensor, "clip frame 1"]:
    """`a_t = sum_m softmax_t(v_tm)` over valid frames, zero in other frames (Chou, Jang & Yang 2018, Eq. 6).

    Args:
        aspects: `v`, at least float32.
        valid: frames that hold signal.
        norm: `sum` over the M aspects, or `mean`.

    Raises:
        WsedError: the norm is unknown.

    >>> import torch
    >>> summed_attention(torch.zeros(1, 2, 4), torch.ones(1, 2, dtype=torch.bool)).flatten().tolist()
    [2.0, 2.0]
    """
    each = attention_over_time(aspects, valid)
    return each.sum(2, keepdim=True) if norm == "sum" else each.mean(2, keepdim=True)


def _each_frame(layers: nn.Module, x: Float[Tensor, "clip dim frame"]) -> Float[Tensor, "clip dim2 frame"]:
    """Apply layers that take `[clip dim]` to each frame."""
    result: Tensor = layers(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (x.shape[0], x.shape[2]))
    return result.transpose(1, 2)
