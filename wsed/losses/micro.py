"""Attentional supervision: the tags of a clip on each of its frames, as much as the network attends to it."""

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
"""What the released code does, and what Chou, Jang & Yang 2018 describe."""

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
    """`sum_t a_t xi(y, d_t)`, `xi` the cross-entropy summed over classes (Chou, Jang & Yang 2018, Eq. 3 and 7).

    Where the attention takes a gradient it turns away from frames of large cross-entropy: for `a_t = sum_m s_tm` and
    `s` a softmax over time of `v`, `dL / dv_tm = s_tm (xi_t - sum_u s_um xi_u)`.

    Args:
        frame_scores: `d`, probabilities.
        attention: `a`; the same for all labels, or not.
        tags: `y`, in [0, 1].
        valid: frames that hold signal.
        tagged: tags that are known.
        attend: what the attention multiplies: `all`, as printed, or the term of `y` alone (`positives`).
        reduction: over frames and labels: the `sum`, as printed, or `mean`. Over clips it is the mean.
        weights: of the term of `y` and that of `1 - y`, each `[label]`.

    Returns:
        0-d; zero with a graph where no tag is known.

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

    Beside `clip_bce` it is the objective of Chou, Jang & Yang 2018; lambda is its `weight`. Where the output has
    `levels`, each adds its micro loss (Eq. 10). Any head that gives attention will do. The paper sums over classes:
    beside `preset: paper` give `clip_bce` `reduction: sum`.

    Args:
        preset: what `attend` and `reduction` are unless given: as in the `code` (positives, mean) or the `paper` (all,
            sum).
        attend: what the attention multiplies: `all`, or the term of `y` alone (`positives`).
        reduction: over frames and labels: `sum` or `mean`; over clips it is the mean.
        class_weights: by how common classes are; all weigh 1 if None.

    Raises:
        WsedError: an option is unknown.
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
