"""Pooling of frame scores over time: `[clip frame label]` probabilities to `[clip label]` probabilities.

Every function takes `valid [clip frame]` (None: all frames hold signal) and leaves the other frames out. Work in
float32 or wider: `pool` is the entry for logits of any precision. Names follow McFee et al. 2018 (auto) and Wang
et al. 2019, "A comparison of five multiple instance learning pooling functions".
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.registry import check_option

Frames = Float[Tensor, "clip frame label"]
Clips = Float[Tensor, "clip label"]
Valid = Bool[Tensor, "clip frame"]

EPS = 1e-7
"""Probabilities are kept this far from 0 and 1 before a logarithm (the clipping of Keras)."""


def max_pool(scores: Frames, valid: Valid | None = None) -> Clips:
    """The largest score; the gradient reaches the first frame that has it."""
    return scores.gather(1, _fill(scores, valid, -1.0).argmax(1, keepdim=True)).squeeze(1)


def min_pool(scores: Frames, valid: Valid | None = None) -> Clips:
    """The smallest score."""
    return scores.gather(1, _fill(scores, valid, 2.0).argmin(1, keepdim=True)).squeeze(1)


def mean_pool(scores: Frames, valid: Valid | None = None) -> Clips:
    """The average score."""
    return _weighted(scores, torch.ones_like(scores), valid)


def linear_softmax(scores: Frames, valid: Valid | None = None) -> Clips:
    """Sum of squares over sum: scores weigh themselves."""
    return _weighted(scores, scores, valid)


def exp_softmax(scores: Frames, valid: Valid | None = None) -> Clips:
    """Weights `exp(score)`."""
    return auto_pool(scores, valid, 1.0)


def auto_pool(scores: Frames, valid: Valid | None = None, alpha: Tensor | float = 1.0) -> Clips:
    """Weights `exp(alpha * score)`: 0 is the mean, large is the max; `alpha` is a number or `[label]`."""
    return (scores * _fill(alpha * scores, valid, torch.finfo(scores.dtype).min).softmax(dim=1)).sum(1)


def attention_pool(scores: Frames, valid: Valid | None = None, *, attention: Frames) -> Clips:
    """Weights given by the network, normalised over time here (Xu et al. 2017)."""
    return _weighted(scores, attention, valid)


def noisy_or(scores: Frames, valid: Valid | None = None) -> Clips:
    """Probability that at least one frame is active, frames being independent."""
    return -torch.expm1(torch.log1p(-_fill(scores, valid, 0.0).clamp(max=1 - EPS)).sum(1))


POOLINGS: dict[str, Callable[..., Tensor]] = {
    "max": max_pool,
    "mean": mean_pool,
    "linear_softmax": linear_softmax,
    "exp_softmax": exp_softmax,
    "attention": attention_pool,
    "auto": auto_pool,
    "noisy_or": noisy_or,
}


def pooling(name: str) -> Callable[..., Tensor]:
    """A pooling by name; a `WsedError` that lists the names if there is none."""
    check_option("mil", "pooling", name, POOLINGS)
    return POOLINGS[name]


def pool(frame_logits: Frames, name: str, valid: Valid | None = None, **arguments: Tensor | float) -> Clips:
    """Clip logits from frame logits; poolings of probabilities go back through a clamped float32 logit."""
    scores = torch.sigmoid(frame_logits if frame_logits.dtype == torch.float64 else frame_logits.float())
    return torch.logit(pooling(name)(scores, valid, **arguments), eps=EPS)


def _fill(scores: Tensor, valid: Tensor | None, value: float) -> Tensor:
    return scores if valid is None else torch.where(valid[..., None], scores, value)


def _weighted(scores: Tensor, weights: Tensor, valid: Tensor | None) -> Tensor:
    weights = _fill(weights, valid, 0.0)
    return (scores * weights).sum(1) / weights.sum(1).clamp(min=EPS)
