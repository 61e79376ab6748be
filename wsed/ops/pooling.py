"""Pooling of frame scores over time: `[clip frame label]` probabilities to `[clip label]` probabilities.

Every function takes `valid [clip frame]` and ignores the other frames; with None, all frames are valid. Scores must be
float32 or float64; `pool` takes logits of any precision. Names follow McFee et al. 2018 (auto) and Wang et al. 2019,
"A comparison of five multiple instance learning pooling functions".

>>> scores = torch.tensor([[[0.2], [0.8], [0.9]]])
>>> valid = torch.tensor([[True, True, False]])
>>> mean_pool(scores, valid)
tensor([[0.5000]])
"""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.literals import checked

Frames = Float[Tensor, "clip frame label"]
Clips = Float[Tensor, "clip label"]
Valid = Bool[Tensor, "clip frame"]

EPS = 1e-7
"""Probabilities are clamped to `[EPS, 1 - EPS]` before a logarithm, as in Keras."""


def max_pool(scores: Frames, valid: Valid | None = None) -> Clips:
    """The largest score; only the first frame with it gets a gradient.

    >>> max_pool(torch.tensor([[[0.2], [0.8]]]))
    tensor([[0.8000]])
    """
    return scores.gather(1, _fill(scores, valid, -1.0).argmax(1, keepdim=True)).squeeze(1)


def min_pool(scores: Frames, valid: Valid | None = None) -> Clips:
    """The smallest score.

    >>> min_pool(torch.tensor([[[0.2], [0.8]]]))
    tensor([[0.2000]])
    """
    return scores.gather(1, _fill(scores, valid, 2.0).argmin(1, keepdim=True)).squeeze(1)


def mean_pool(scores: Frames, valid: Valid | None = None) -> Clips:
    """The average score.

    >>> mean_pool(torch.tensor([[[0.2], [0.8]]]))
    tensor([[0.5000]])
    """
    return _weighted(scores, torch.ones_like(scores), valid)


def linear_softmax(scores: Frames, valid: Valid | None = None) -> Clips:
    """The average score weighted by the score itself: the sum of squares divided by the sum.

    >>> linear_softmax(torch.tensor([[[0.2], [0.8]]]))
    tensor([[0.6800]])
    """
    return _weighted(scores, scores, valid)


def exp_softmax(scores: Frames, valid: Valid | None = None) -> Clips:
    """The average score with weights `exp(score)`.

    >>> exp_softmax(torch.tensor([[[0.2], [0.8]]]))
    tensor([[0.5874]])
    """
    return auto_pool(scores, valid, 1.0)


def auto_pool(scores: Frames, valid: Valid | None = None, alpha: Tensor | float = 1.0) -> Clips:
    """The average score with weights `exp(alpha * score)` (McFee et al. 2018).

    Args:
        scores: probabilities.
        valid: frames that hold signal.
        alpha: a number or `[label]`; 0 gives the mean, a large value approaches the maximum.

    >>> auto_pool(torch.tensor([[[0.2], [0.8]]]), alpha=0.0)
    tensor([[0.5000]])
    """
    return (scores * _fill(alpha * scores, valid, torch.finfo(scores.dtype).min).softmax(dim=1)).sum(1)


def attention_pool(scores: Frames, valid: Valid | None = None, *, attention: Frames) -> Clips:
    """The average score with weights from the network, which are normalised over time here (Xu et al. 2017).

    >>> attention_pool(torch.tensor([[[0.2], [0.8]]]), attention=torch.tensor([[[1.0], [3.0]]]))
    tensor([[0.6500]])
    """
    return _weighted(scores, attention, valid)


def noisy_or(scores: Frames, valid: Valid | None = None) -> Clips:
    """The probability that at least one frame is active, if frames are independent.

    >>> noisy_or(torch.tensor([[[0.5], [0.5]]]))
    tensor([[0.7500]])
    """
    return -torch.expm1(torch.log1p(-_fill(scores, valid, 0.0).clamp(max=1 - EPS)).sum(1))


Pooling = Literal["max", "mean", "linear_softmax", "exp_softmax", "attention", "auto", "noisy_or"]

POOLINGS: dict[Pooling, Callable[..., Tensor]] = {
    "max": max_pool,
    "mean": mean_pool,
    "linear_softmax": linear_softmax,
    "exp_softmax": exp_softmax,
    "attention": attention_pool,
    "auto": auto_pool,
    "noisy_or": noisy_or,
}


@checked
def pool(frame_logits: Frames, name: Pooling, valid: Valid | None = None, **arguments: Tensor | float) -> Clips:
    """Clip logits from frame logits of any precision: sigmoid, pooling, clamped logit, at least in float32.

    Args:
        frame_logits: logits per clip, frame and label.
        name: name of the pooling.
        valid: frames that hold signal; all if None.
        **arguments: further arguments of the pooling, such as `alpha` or `attention`.

    Raises:
        WsedError: there is no such pooling.

    >>> pool(torch.tensor([[[-2.0], [0.0]]]), "max")
    tensor([[0.]])
    """
    scores = torch.sigmoid(frame_logits if frame_logits.dtype == torch.float64 else frame_logits.float())
    return torch.logit(POOLINGS[name](scores, valid, **arguments), eps=EPS)


def _fill(scores: Tensor, valid: Tensor | None, value: float) -> Tensor:
    return scores if valid is None else torch.where(valid[..., None], scores, value)


def _weighted(scores: Tensor, weights: Tensor, valid: Tensor | None) -> Tensor:
    weights = _fill(weights, valid, 0.0)
    return (scores * weights).sum(1) / weights.sum(1).clamp(min=EPS)
