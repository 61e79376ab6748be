"""Binary cross-entropy of clips and of frames, and false strong labels."""

from typing import Literal

import torch
from torch import Tensor

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.losses.base import LOSSES, Loss
from wsed.losses.class_weights import ClassWeighted, ClassWeights, Weights
from wsed.losses.shapes import check_probabilities, check_shapes
from wsed.ops.pooling import EPS
from wsed.ops.precision import at_least_float32
from wsed.ops.reduce import masked_mean
from wsed.types import Batch, Needs, Output


def bce(targets: Tensor, scores: Tensor, weights: Weights | None = None) -> Tensor:
    """`-y ln p - (1 - y) ln(1 - p)` elementwise, with `p` clipped to `[1e-7, 1 - 1e-7]`.

    A score whose logit is below -16 or above 16 is clipped and has no gradient, even where it is wrong.

    Args:
        targets: `y`, in [0, 1].
        scores: `p`, probabilities, broadcastable with the targets.
        weights: factors of the first and the second term, broadcastable with the targets; 1 if None.

    Returns:
        the cost of each element: float32, or float64 for float64 scores.

    >>> bce(torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5]))
    tensor([0.6931, 0.6931])
    """
    scores = at_least_float32(scores).clamp(EPS, 1 - EPS)
    targets = targets.to(scores.dtype)
    positive, negative = targets, 1 - targets
    if weights is not None:
        positive, negative = positive * weights[0], negative * weights[1]
    return -(positive * scores.log() + negative * (-scores).log1p())


@checked
def clip_bce(
    clip_scores: Tensor,
    tags: Tensor,
    tagged: Tensor | None = None,
    weights: Weights | None = None,
    reduction: Literal["mean", "sum"] = "mean",
) -> Tensor:
    """Mean cross-entropy of clip scores and tags, over the tags that are known.

    Args:
        clip_scores: `[clip label]`, probabilities.
        tags: `[clip label]`, in [0, 1].
        tagged: `[clip label]`, tags that are known; all if None.
        weights: factors of the terms of `y` and `1 - y`, each `[label]`; 1 if None.
        reduction: `mean` over all known tags, or `sum`: the sum over the known tags of each clip, then the mean over
            clips.

    Raises:
        WsedError: shapes do not fit, or the reduction is unknown.

    >>> clip_bce(torch.tensor([[0.9, 0.1]]), torch.tensor([[1.0, 0.0]]))
    tensor(0.1054)
    >>> clip_bce(torch.tensor([[0.9, 0.1]]), torch.tensor([[1.0, 1.0]]), tagged=torch.tensor([[True, False]]))
    tensor(0.1054)
    """
    check_shapes("clip_bce", clip_scores, tags, known=tagged)
    check_probabilities("clip_bce", clip_scores)
    costs = bce(tags, clip_scores, weights)
    if reduction == "sum":
        return sum_per_clip(costs, tagged)
    return masked_mean(costs, tagged)


def frame_bce(
    frame_scores: Tensor, frame_labels: Tensor, valid: Tensor | None = None, timed: Tensor | None = None
) -> Tensor:
    """Mean cross-entropy of frame scores and frame labels (strong supervision).

    Args:
        frame_scores: `[clip frame label]`, probabilities.
        frame_labels: `[clip frame label]`, in [0, 1].
        valid: `[clip frame]`, frames that hold signal; all if None.
        timed: `[clip label]`, classes whose events are known in a clip; all if None.

    Raises:
        WsedError: shapes do not fit.

    >>> frame_bce(torch.tensor([[[0.9], [0.1]]]), torch.tensor([[[1.0], [0.0]]]))
    tensor(0.1054)
    """
    if frame_labels.shape != frame_scores.shape or frame_labels.ndim != 3:
        raise WsedError(
            f"frame_bce: frame scores and frame labels must be [clip frame label] of one shape, not "
            f"{tuple(frame_scores.shape)} and {tuple(frame_labels.shape)}"
        )
    check_shapes("frame_bce", frame_scores, frame_labels[:, 0], valid, timed)
    check_probabilities("frame_bce", frame_scores)
    return masked_mean(bce(frame_labels, frame_scores), frame_mask(valid, timed))


def false_strong(
    frame_scores: Tensor,
    tags: Tensor,
    valid: Tensor | None = None,
    tagged: Tensor | None = None,
    weights: Weights | None = None,
) -> Tensor:
    """False strong labels (FSL): every frame gets the tags of its clip (Pellegrini & Cances 2019, section V).

    Chou, Jang & Yang 2018 use it as a baseline named SLAT.

    Args:
        frame_scores: `[clip frame label]`, probabilities.
        tags: `[clip label]`, in [0, 1].
        valid: `[clip frame]`, frames that hold signal; all if None.
        tagged: `[clip label]`, tags that are known; all if None.
        weights: factors of the terms of `y` and `1 - y`, each `[label]`; 1 if None.

    Raises:
        WsedError: shapes do not fit.

    >>> false_strong(torch.full((1, 4, 2), 0.5), torch.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """
    check_shapes("false_strong", frame_scores, tags, valid, tagged)
    check_probabilities("false_strong", frame_scores)
    return masked_mean(bce(tags[:, None], frame_scores, weights), frame_mask(valid, tagged))


def frame_mask(valid: Tensor | None, known: Tensor | None) -> Tensor | None:
    """Combine a mask of frames and a mask of classes into one.

    Args:
        valid: `[clip frame]`, frames that hold signal; all if None.
        known: `[clip label]`, classes that are known in a clip; all if None.

    Returns:
        a mask that broadcasts to `[clip frame label]`; None if everything counts.

    >>> valid, known = torch.ones(1, 5, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)
    >>> frame_mask(valid, known).shape
    torch.Size([1, 5, 3])
    """
    if valid is None:
        return None if known is None else known[:, None]
    return valid[..., None] if known is None else valid[..., None] & known[:, None]


def sum_per_clip(costs: Tensor, known: Tensor | None) -> Tensor:
    """Sum the costs of the known classes of each clip, then average over the clips that have a known class.

    Args:
        costs: `[clip label]`.
        known: `[clip label]`, classes that count; all if None.

    >>> sum_per_clip(torch.ones(2, 3), torch.tensor([[True, True, False], [False, False, False]]))
    tensor(2.)
    """
    if known is None:
        return masked_mean(costs.sum(1))
    return masked_mean(torch.where(known, costs, 0.0).sum(1), known.any(1))


@LOSSES.register("clip_bce")
class ClipBCE(ClassWeighted):
    """Cross-entropy of the clip scores and the tags.

    Args:
        class_weights: weights by class frequency; every class weighs 1 if None.
        reduction: `mean` over all known tags, or `sum` over the tags of each clip and then the mean over clips, as in
            Chou, Jang & Yang 2018.

    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> ClipBCE()(output(inputs), inputs).shape
    torch.Size([])
    """

    needs = Needs(output=frozenset({"clip_logits"}), known=frozenset({"tagged"}))

    def __init__(self, class_weights: ClassWeights | None = None, reduction: Literal["mean", "sum"] = "mean") -> None:
        super().__init__(class_weights)
        self.reduction = reduction

    def forward(self, output: Output, batch: Batch) -> Tensor:
        tags = batch.clip_labels
        return clip_bce(output.clip_scores, tags, batch.tagged, self.weights(tags), self.reduction)


@LOSSES.register("frame_bce")
class FrameBCE(Loss):
    """Cross-entropy of the frame scores and the events, which become frame labels at the frame rate of the output.

    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> FrameBCE()(output(inputs), inputs).shape
    torch.Size([])
    """

    needs = Needs(output=frozenset({"frame_logits"}), known=frozenset({"timed"}))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        scores = output.frame_scores
        labels = batch.frame_labels(scores.shape[1], output.rate, output.valid)
        return frame_bce(scores, labels, output.valid, batch.timed)


@LOSSES.register("false_strong")
class FalseStrong(ClassWeighted):
    """False strong labels: cross-entropy of the frame scores, where every frame gets the tags of its clip.

    Args:
        class_weights: weights by class frequency; every class weighs 1 if None.

    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> FalseStrong()(output(inputs), inputs).shape
    torch.Size([])
    """

    needs = Needs(output=frozenset({"frame_logits"}), known=frozenset({"tagged"}))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        tags = batch.clip_labels
        return false_strong(output.frame_scores, tags, output.valid, batch.tagged, self.weights(tags))
