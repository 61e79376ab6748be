"""Attention pooling of embeddings: one clip embedding per class, and its score."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.models.base import HEADS, Head
from wsed.models.init import keras_init
from wsed.types import Encoded, Output


@HEADS.register("clip_attention")
class ClipAttention(Head):
    """Class-wise attention pooling of embeddings (cATP), the classifier of Tao et al. 2023 (section 2).

    For frame embedding `h_t` and class `c`: `s_tc = w_c h_t + b_c`, `a_tc = softmax_t(s_tc / temperature)`,
    `h_c = sum_t a_tc h_t`. The clip logit is `v_c h_c + b'_c`, and the frame logits are `v_c h_t + b'_c`. With
    `frames: attention` the frame logits are `s_tc`, as in the group's earlier code. Their level is arbitrary, since a
    constant added to `s` changes neither the softmax nor a loss on clip scores.

    The head `attention` pools scores, while this head pools embeddings. `shared` with a temperature of 1e9 is the mean
    of the embeddings (GAP). The head `framewise` pools scores too: its `max` takes the frame with the highest score,
    while max pooling of embeddings (GMP) would take the maximum of each dimension.

    Args:
        dim: dimension of the frame embeddings.
        n_labels: number of classes.
        shared: use one attention for all classes (eATP); the frame logits must then be those of the classifier.
        temperature: divisor of `s`; `dim` if None, as in the group's code.
        frames: frame logits: those of the `classifier`, or the scores `s` of the `attention`.

    Raises:
        WsedError: the temperature is not positive, or `shared` is combined with `frames: attention`.

    >>> valid = torch.ones(2, 5, dtype=torch.bool)
    >>> ClipAttention(dim=4, n_labels=3)(Encoded(torch.randn(2, 5, 4), valid)).clip_logits.shape
    torch.Size([2, 3])
    """

    provides = frozenset({"frame_logits", "clip_logits", "attention", "embeddings", "valid"})

    def __init__(
        self,
        dim: int,
        n_labels: int,
        shared: bool = False,
        temperature: float | None = None,
        frames: Literal["classifier", "attention"] = "classifier",
    ) -> None:
        super().__init__()
        if shared and frames == "attention":
            raise WsedError("head: a shared attention has no scores per class: leave out `frames` or `shared`")
        if temperature is not None and temperature <= 0:
            raise WsedError(f"head: temperature must be positive, not {temperature:g}")
        self.shared, self.frames_from_attention = shared, frames == "attention"
        self.temperature = float(dim) if temperature is None else temperature
        self.score = nn.Linear(dim, 1 if shared else n_labels)
        self.classify = nn.Linear(dim, n_labels)
        keras_init(self)

    def forward(self, encoded: Encoded) -> Output:
        scores, logits = self.score(encoded.frames).float(), self.classify(encoded.frames).float()
        attention = attention_over_time(scores / self.temperature, encoded.valid).expand_as(logits)
        return Output(
            frame_logits=scores if self.frames_from_attention else logits,
            # v (sum_t a_t h_t) + b = sum_t a_t (v h_t + b), since the weights sum to one: this needs less memory
            clip_logits=(attention * logits).sum(1),
            attention=attention,
            embeddings=encoded.frames,
            valid=encoded.valid,
        )


def attention_over_time(
    scores: Float[Tensor, "clip frame label"], valid: Bool[Tensor, "clip frame"]
) -> Float[Tensor, "clip frame label"]:
    """A softmax over the valid frames; zero in other frames and in clips without valid frames.

    Args:
        scores: at least float32.
        valid: frames that hold signal.

    >>> attention_over_time(torch.zeros(1, 2, 1), torch.tensor([[True, False]])).flatten().tolist()
    [1.0, 0.0]
    """
    kept = valid[..., None]
    weights = torch.where(kept, scores, torch.finfo(scores.dtype).min).softmax(1)
    return torch.where(kept, weights, 0.0)
