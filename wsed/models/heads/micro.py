"""A detector and an attention on each frame, both convolutions over a few frames."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.models.base import HEADS, Head
from wsed.models.heads.clip_attention import attention_over_time
from wsed.models.heads.macro import dense_layers
from wsed.models.init import he_init
from wsed.ops.pooling import pool
from wsed.registry import check_option
from wsed.types import Encoded, Output

NORMS = ("sum", "mean")


@HEADS.register("micro")
class Micro(Head):
    """The micro subnet of M&mnet: scores of frames `d_t`, and how much a frame counts, `a_t`, the same for all labels.

    Chou, Jang & Yang 2018, Eq. 4-6: `a_t = sum_m softmax_t(v_tm)`, one softmax over time for each of M aspects. Beside
    a head that scores clips, `head: [macro, micro]`, it is trained by the loss `micro` on any encoder; the network
    `mmnet` joins the two in prediction as well.

    Alone, with `dense_detector` and `clip_scores`, it is three of the systems that Chou, Jang & Yang compare with: with
    attention and the loss `clip_bce` ATT, with `aspects: 0` and the loss `clip_bce` WLAT, with `aspects: 0` and the
    loss `false_strong` SLAT.

    Args:
        dim: of the embeddings.
        n_labels: classes.
        kernel: frames that detector and attention see, odd: 3 gives the number of weights in the paper, 1 is its text
            and the released code.
        dense_detector: the detector is not a convolution, but the dense layers of the head `macro` on each frame.
        aspects: M, of the attention; `dim` if None. With 0 there is no attention.
        attention_norm: over time `a_t` has the `sum` M, as printed, or, with `mean`, 1.
        clip_scores: give clip logits too, the mean of the frames' probabilities, weighted by the attention if there is
            one. After a head that scores clips they would replace its scores.

    Raises:
        WsedError: the kernel is not odd, there are less than 0 aspects, or the norm is unknown.
    """

    def __init__(
        self,
        dim: int,
        n_labels: int,
        kernel: int = 3,
        dense_detector: bool = False,
        aspects: int | None = None,
        attention_norm: str = "sum",
        clip_scores: bool = False,
    ) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise WsedError(f"head micro: kernel must be odd and 1 or more, not {kernel}")
        if aspects is not None and aspects < 0:
            raise WsedError(f"head micro: aspects must be 0 (no attention) or more, not {aspects}")
        check_option("head micro", "attention_norm", attention_norm, NORMS)
        self.attention_norm, self.clip_scores = attention_norm, clip_scores
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
        inputs = (frames * valid[..., None]).transpose(1, 2)  # zero, as beyond the end of a lone clip
        seen = inputs if self.dense is None else _each_frame(self.dense, inputs)
        frame_logits = self.det(seen).transpose(1, 2)
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


def summed_attention(
    aspects: Float[Tensor, "clip frame aspect"], valid: Bool[Tensor, "clip frame"], norm: str = "sum"
) -> Float[Tensor, "clip frame 1"]:
    """`a_t = sum_m softmax_t(v_tm)` over valid frames (Chou, Jang & Yang 2018, Eq. 6); zero in others.

    Args:
        aspects: `v`, float32 or wider.
        valid: frames that hold signal.
        norm: `sum`: over time it has the sum M; `mean`: 1.

    Raises:
        WsedError: the norm is unknown.
    """
    check_option("attention", "norm", norm, NORMS)
    each = attention_over_time(aspects, valid)
    return each.sum(2, keepdim=True) if norm == "sum" else each.mean(2, keepdim=True)


def _each_frame(layers: nn.Module, x: Float[Tensor, "clip dim frame"]) -> Float[Tensor, "clip dim2 frame"]:
    """Layers of clips on each frame."""
    found: Tensor = layers(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (x.shape[0], x.shape[2]))
    return found.transpose(1, 2)
