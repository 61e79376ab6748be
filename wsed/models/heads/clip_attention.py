"""Attention pooling of embeddings: a clip embedding for each class, and a score of it."""

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
    `h_c = sum_t a_tc h_t`, clip logit `v_c h_c + b'_c`. Frame logits are the clip classifier's of each frame,
    `v_c h_t + b'_c`. With `frames: attention` they are `s_tc`, as in the group's earlier code; a loss on clips shapes
    `s` only through the softmax, which no constant added to a class's scores changes, and leaves its level open.

    The head `attention` weighs scores; this one weighs embeddings. `shared` with a temperature of 1e9 is their mean
    (GAP). The head `framewise` pools scores: its `mean` is of probabilities, and its `max` takes the frame with the
    largest one, where pooling embeddings (GMP) would take the largest value of each dimension.

    Args:
        dim: of the embeddings, E.
        n_labels: classes.
        shared: one attention for all classes (eATP). Its scores are of no class then, so frame logits are the
            classifier's.
        temperature: what scores are divided by; E if None, as in the group's code.
        frames: whose scores are the frame logits: the `classifier`'s or the `attention`'s.

    Raises:
        WsedError: the temperature is not positive, or frame logits are to be those of a shared attention.

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
            raise WsedError("head: one shared attention scores no class: leave out frames, or shared")
        if temperature is not None and temperature <= 0:
            raise WsedError(f"head: temperature must be positive, not {temperature:g}")
        self.shared, self.frames_of_attention = shared, frames == "attention"
        self.temperature = float(dim) if temperature is None else temperature
        self.score = nn.Linear(dim, 1 if shared else n_labels)
        self.classify = nn.Linear(dim, n_labels)
        keras_init(self)

    def forward(self, encoded: Encoded) -> Output:
        scores, votes = self.score(encoded.frames).float(), self.classify(encoded.frames).float()
        attention = attention_over_time(scores / self.temperature, encoded.valid).expand_as(votes)
        return Output(
            frame_logits=scores if self.frames_of_attention else votes,
            # v (sum_t a_t h_t) + b is sum_t a_t (v h_t + b), since weights sum to one: no embedding for each class
            clip_logits=(attention * votes).sum(1),
            attention=attention,
            embeddings=encoded.frames,
            valid=encoded.valid,
        )


def attention_over_time(
    scores: Float[Tensor, "clip frame label"], valid: Bool[Tensor, "clip frame"]
) -> Float[Tensor, "clip frame label"]:
    """A softmax over the valid frames; zero elsewhere, and in a clip without any.

    Args:
        scores: float32 or wider.
        valid: frames that hold signal.

    >>> attention_over_time(torch.zeros(1, 2, 1), torch.tensor([[True, False]])).flatten().tolist()
    [1.0, 0.0]
    """
    kept = valid[..., None]
    weights = torch.where(kept, scores, torch.finfo(scores.dtype).min).softmax(1)
    return torch.where(kept, weights, 0.0)
