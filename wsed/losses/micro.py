"""Attentional supervision: every frame gets the tags of its clip, weighted by the attention of the network."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.losses.base import LOSSES
from wsed.losses.bce import bce, frame_mask, sum_per_clip
from wsed.losses.class_weights import ClassWeighted, ClassWeights, Weights
from wsed.losses.shapes import check_shapes
from wsed.ops.precision import at_least_float32
from wsed.ops.reduce import masked_mean
from wsed.registry import check_options
from wsed.types import Batch, Needs, Output

PRESETS = {"code": {"attend": "positives", "reduction": "mean"}, "paper": {"attend": "all", "reduction": "sum"}}
"""Options of the released code, and options that Chou, Jang & Yang 2018 describe."""

OPTIONS = {"preset": tuple(PRESETS), "attend": ("all", "positives"), "reduction": ("sum", "mean")}


def micro(
    frame_scores: Float[Tensor, "clip frame label"],
    attention: Float[Tensor, "clip frame label"],
    tags: Float[Tensor, "clip label"],
    valid: Bool[Tensor, "clip frame"] | None = None,
    tagged: Bool[Tensor, "clip label"] | None = None,
    *,
    attend: str = "all",
    reduction: str = "sum",
    weights: Weights | None = None,
) -> Float[Tensor, ""]:
    """`sum_t a_t xi(y, d_t)`: cross-entropy of frames weighted by attention (Chou, Jang & Yang 2018, Eq. 3 and 7).

    `xi` is the cross-entropy summed over classes. If the attention gets a gradient, it decreases at frames with a
    large cross-entropy: for `a_t = sum_m s_tm`, where `s` is a softmax of `v` over time, the gradient is
    `dL / dv_tm = s_tm (xi_t - sum_u s_um xi_u)`.

    Args:
        frame_scores: `d`, probabilities.
        attention: `a`; it may differ between labels.
        tags: `y`, in [0, 1].
        valid: frames that hold signal; all if None.
        tagged: tags that are known; all if None.
        attend: `all`: the attention multiplies both terms of the cross-entropy, as printed; `positives`: only the
            term of `y`.
        reduction: over frames and labels: `sum`, as printed, or `mean`. The result is the mean over clips.
        weights: factors of the terms of `y` and `1 - y`, each `[label]`; 1 if None.

    Returns:
        0-d; a zero attached to the graph if no tag is known.

    Raises:
        WsedError: an option is unknown, or shapes do not fit.

    >>> frame_scores, attention = torch.tensor([[[0.9], [0.5]]]), torch.tensor([[[1.0], [0.0]]])
    >>> micro(frame_scores, attention, torch.tensor([[1.0]]))
    tensor(0.1054)
    """
    check_options("micro", OPTIONS, attend=attend, reduction=reduction)
    check_shapes("micro", frame_scores, tags, valid, tagged)
    attention = at_least_float32(attention)
    positive, negative = (1.0, 1.0) if weights is None else weights
    positive, negative = attention * positive, (attention if attend == "all" else torch.ones_like(attention)) * negative
    costs = bce(tags[:, None], frame_scores, (positive, negative))
    if reduction == "mean":
        return masked_mean(costs, frame_mask(valid, tagged))
    if valid is not None:
        costs = torch.where(valid[..., None], costs, 0.0)
    return sum_per_clip(costs.sum(1), tagged)


@LOSSES.register("micro")
class Micro(ClassWeighted):
    """The micro loss of M&mnet: cross-entropy of frame scores and tags, weighted by the attention.

    The objective of Chou, Jang & Yang 2018 is `clip_bce` plus this loss; their lambda is its `weight`. If the output
    has `levels`, the micro loss of each level is added (Eq. 10). It works with any head that provides attention. With
    `preset: paper`, set `reduction: sum` in `clip_bce` too, since the authors sum over classes.

    Args:
        preset: defaults of `attend` and `reduction`: `code` (positives, mean) or `paper` (all, sum).
        attend: `all`: the attention multiplies both terms of the cross-entropy; `positives`: only the term of `y`.
        reduction: over frames and labels: `sum` or `mean`. The result is the mean over clips.
        class_weights: weights by class frequency; every class weighs 1 if None.

    Raises:
        WsedError: an option is unknown.

    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> Micro()(output(inputs), inputs).shape
    torch.Size([])
    """

    needs = Needs(output=frozenset({"frame_logits", "attention"}), known=frozenset({"tagged"}))

    def __init__(
        self,
        preset: str = "code",
        attend: str | None = None,
        reduction: str | None = None,
        class_weights: ClassWeights | None = None,
    ) -> None:
        super().__init__(class_weights)
        check_options("micro", OPTIONS, preset=preset)
        given = {"attend": attend, "reduction": reduction}
        self.options = PRESETS[preset] | {name: value for name, value in given.items() if value is not None}
        check_options("micro", OPTIONS, **self.options)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        tags = batch.clip_labels
        weights = self.weights(tags)
        terms = []
        for each in (output, *output.levels):
            attention = each.need("attention").float()
            terms.append(
                micro(each.frame_scores, attention, tags, each.valid, batch.tagged, weights=weights, **self.options)
            )
        return torch.stack(terms).sum()
