"""Binary cross-entropy on clips and on frames, and false strong labels."""

from typing import Literal

import torch
from torch import Tensor

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.losses.base import LOSSES, Loss
from wsed.losses.class_weights import ClassWeighted, ClassWeights, Weights
from wsed.losses.shapes import check_shapes
from wsed.ops.pooling import EPS
from wsed.ops.precision import at_least_float32
from wsed.ops.reduce import masked_mean
from wsed.types import Batch, Needs, Output


def bce(targets: Tensor, scores: Tensor, weights: Weights | None = None) -> Tensor:
    """`-y ln p - (1 - y) ln(1 - p)`, elementwise, with `p` clipped to `[1e-7, 1 - 1e-7]`; broadcasts.

    With `weights`, the two terms are multiplied by one of them each. The result is float32, or float64 for float64
    scores.

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
    """Mean cross-entropy of clip scores `[clip label]` and tags `[clip label]`, over the known tags.

    Args:
        clip_scores: probabilities.
        tags: in [0, 1].
        tagged: `[clip label]`, tags that are known.
        weights: of the term of `y` and that of `1 - y`, each `[label]`.
        reduction: over labels: `mean`, or the `sum` over the known ones. Over clips it is the mean.

    Raises:
        WsedError: shapes do not fit, or the reduction is unknown.

    >>> clip_bce(torch.tensor([[0.9, 0.1]]), torch.tensor([[1.0, 0.0]]))
    tensor(0.1054)
    >>> clip_bce(torch.tensor([[0.9, 0.1]]), torch.tensor([[1.0, 1.0]]), tagged=torch.tensor([[True, False]]))
    tensor(0.1054)
    """
    check_shapes("clip_bce", clip_scores, tags, known=tagged)
    costs = bce(tags, clip_scores, weights)
    if reduction == "sum":
        return sum_per_clip(costs, tagged)
    return masked_mean(costs, tagged)


def frame_bce(
    frame_scores: Tensor, frame_labels: Tensor, valid: Tensor | None = None, timed: Tensor | None = None
) -> Tensor:
    """Mean cross-entropy of frame scores and frame labels, both `[clip frame label]`: strong supervision.

    Args:
        frame_scores: probabilities.
        frame_labels: in [0, 1].
        valid: `[clip frame]`, frames that hold signal.
        timed: `[clip label]`, classes of a clip whose events are known.

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
    return masked_mean(bce(frame_labels, frame_scores), frame_mask(valid, timed))


def false_strong(
    frame_scores: Tensor,
    tags: Tensor,
    valid: Tensor | None = None,
    tagged: Tensor | None = None,
    weights: Weights | None = None,
) -> Tensor:
    """False strong labels (FSL): every frame gets the tags of its clip (Pellegrini & Cances 2019, section V).

    It is also SLAT, a baseline of Chou, Jang & Yang 2018.

    Args:
        frame_scores: `[clip frame label]`.
        tags: `[clip label]`.
        valid: `[clip frame]`.
        tagged: `[clip label]`, tags that are known.
        weights: of the term of `y` and that of `1 - y`, each `[label]`.

    Raises:
        WsedError: shapes do not fit.

    >>> false_strong(torch.full((1, 4, 2), 0.5), torch.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """
    check_shapes("false_strong", frame_scores, tags, valid, tagged)
    return masked_mean(bce(tags[:, None], frame_scores, weights), frame_mask(valid, tagged))


def frame_mask(valid: Tensor | None, known: Tensor | None) -> Tensor | None:
    """Frames that hold signal (`valid [clip frame]`), of known classes (`known [clip label]`).

    Returns:
        a mask that broadcasts to `[clip frame label]`; None if everything counts.
    """
    if valid is None:
        return None if known is None else known[:, None]
    return valid[..., None] if known is None else valid[..., None] & known[:, None]


def sum_per_clip(costs: Tensor, known: Tensor | None) -> Tensor:
    """Mean over clips of the sum over the known classes: of `costs [clip label]`, by `known [clip label]`.

    Clips of which no class is known are left out.
    """
    if known is None:
        return masked_mean(costs.sum(1))
    return masked_mean(torch.where(known, costs, 0.0).sum(1), known.any(1))


@LOSSES.register("clip_bce")
class ClipBCE(ClassWeighted):
    """Cross-entropy of the clip scores and the tags.

    Args:
        class_weights: by how common classes are; all weigh 1 if None.
        reduction: over labels: `mean`, or `sum`, as in Chou, Jang & Yang 2018; over clips it is the mean.
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
    """Cross-entropy of the frame scores and the events, put on the output's grid."""

    needs = Needs(output=frozenset({"frame_logits"}), known=frozenset({"timed"}))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        scores = output.frame_scores
        labels = batch.frame_labels(scores.shape[1], output.rate)
        return frame_bce(scores, labels, output.valid, batch.timed)


@LOSSES.register("false_strong")
class FalseStrong(ClassWeighted):
    """False strong labels: the tags of a clip on each of its frames.

    Args:
        class_weights: by how common classes are; all weigh 1 if None.
    """

    needs = Needs(output=frozenset({"frame_logits"}), known=frozenset({"tagged"}))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        tags = batch.clip_labels
        return false_strong(output.frame_scores, tags, output.valid, batch.tagged, self.weights(tags))
