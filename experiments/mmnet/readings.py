"""M&mnet as Chou, Jang & Yang 2018 print it, and what only their released code does, by import path in YAML:

    network: {class_path: experiments.mmnet.readings.PrintedMMNet, init_args: {...}}
    micro: {loss: {class_path: experiments.mmnet.readings.PrintedMicro, init_args: {reduction: mean}}}

The core follows the code where the two differ: as printed, the micro loss trains the attention, which turns away from
frames of large cross-entropy. `FirstReleaseMMNet` is a third reading, that of the code's first release.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.errors import check_option
from wsed.losses import class_weights as core
from wsed.losses.bce import bce, frame_mask, sum_per_clip
from wsed.losses.class_weights import ClassWeights, Weights
from wsed.losses.micro import Micro
from wsed.losses.shapes import check_shapes
from wsed.models.heads.clip_attention import attention_over_time
from wsed.models.mmnet import MMNet
from wsed.models.mmnet import pooled_frames as core_pooled
from wsed.ops.pooling import EPS, attention_pool
from wsed.ops.precision import at_least_float32
from wsed.ops.reduce import masked_mean
from wsed.types import Batch, Output

Reduction = Literal["sum", "mean"]


def micro(
    frame_scores: Float[Tensor, "clip frame label"],
    attention: Float[Tensor, "clip frame label"],
    tags: Float[Tensor, "clip label"],
    valid: Bool[Tensor, "clip frame"] | None = None,
    tagged: Bool[Tensor, "clip label"] | None = None,
    *,
    reduction: Reduction = "sum",
    weights: Weights | None = None,
) -> Float[Tensor, ""]:
    """`sum_t a_t xi(y, d_t)`, `xi` the cross-entropy summed over classes (Eq. 3 and 7).

    For `a_t = sum_m s_tm` and `s` a softmax over time of `v`, `dL / dv_tm = s_tm (xi_t - sum_u s_um xi_u)`.

    Args:
        frame_scores: as in `wsed.losses.micro.micro`, as are the next four.
        reduction: over frames and labels: the `sum`, as printed, or the `mean`. Over clips it is the mean.
        weights: of the term of `y` and that of `1 - y`, each `[label]`.
    """
    check_shapes("micro", frame_scores, tags, valid, tagged)
    attention = at_least_float32(attention)
    positive, negative = (1.0, 1.0) if weights is None else weights
    costs = bce(tags[:, None], frame_scores, (attention * positive, attention * negative))
    if reduction == "mean":
        return masked_mean(costs, frame_mask(valid, tagged))
    if valid is not None:
        costs = torch.where(valid[..., None], costs, 0.0)
    return sum_per_clip(costs.sum(1), tagged)


class PrintedMicro(Micro):
    """The micro loss as printed: the attention weighs the terms of absent classes too.

    The paper sums over classes: beside it give `clip_bce` `reduction: sum`.

    Args:
        reduction: over frames and labels: the `sum`, as printed, or the `mean`.
        class_weights: by how common classes are; all weigh 1 if None.
    """

    def __init__(self, reduction: Reduction = "sum", class_weights: ClassWeights | None = None) -> None:
        super().__init__(class_weights)
        check_option("micro", "reduction", reduction, get_args(Reduction))
        self.reduction: Reduction = reduction

    def of_map(self, output: Output, batch: Batch, weights: Weights | None) -> Tensor:
        scores, attention = output.frame_scores, output.need("attention").float()
        options = {"reduction": self.reduction, "weights": weights}
        return micro(scores, attention, batch.clip_labels, output.valid, batch.tagged, **options)


class PrintedMMNet(MMNet):
    """M&mnet whose attention learns by the micro loss; EP is of probabilities, outside training, of the last map alone.

    The arguments are those of `wsed.models.mmnet.MMNet`. A checkpoint of it is loaded with
    `wsed.load(path, network=PrintedMMNet(...))`, or by `wsed test --config RUN/config.yaml --ckpt_path best`.
    """

    def forward(self, batch: Batch) -> Output:
        output = self.subnets(batch)
        if self.training or not self.ep:
            return output
        return replace(output, clip_logits=ensemble_prediction(output, self.mu))


class FirstReleaseMMNet(MMNet):
    """M&mnet as in the first release of the code (d917c7e): as the core, but the micro loss trains the attention too.

    From its release 72c7425 on, as in the core, the micro loss gets the attention without gradient. EP is of the last
    map alone, since the attention of every map is trained by its own micro loss. The arguments are those of
    `wsed.models.mmnet.MMNet`.
    """

    def forward(self, batch: Batch) -> Output:
        output = self.subnets(batch)
        if not self.training and not self.ep:
            return output
        macro = at_least_float32(output.need("clip_logits"))
        return replace(output, clip_logits=self.mu * macro + (1 - self.mu) * core_pooled(output))


def pooled_frames(output: Output) -> Float[Tensor, "clip label"]:
    """The probabilities of the frames, averaged by the softmax over time of the attention (Eq. 9)."""
    valid = output.need("valid")
    alpha = attention_over_time(output.need("attention"), valid)
    return attention_pool(torch.sigmoid(at_least_float32(output.need("frame_logits"))), valid, attention=alpha)


def ensemble_prediction(output: Output, mu: float = 0.5) -> Float[Tensor, "clip label"]:
    """Logits of `mu y + (1 - mu) pooled` (Eq. 9), `y` the macro subnet's probabilities."""
    macro = torch.sigmoid(at_least_float32(output.need("clip_logits")))
    return torch.logit(mu * macro + (1 - mu) * pooled_frames(output), eps=EPS)


def class_weights(counts: Sequence[float], n_clips: int | None = None, beta: float = 0.3) -> Float[Tensor, " label"]:
    """The released code's class weights: Eq. 11 with its second quotient upside down."""
    core.class_weights(counts, n_clips, beta)  # refuses counts that cannot be
    number = torch.as_tensor(counts, dtype=torch.float64)
    share = number / (number.sum() if n_clips is None else n_clips)
    mean = share[number > 0].mean()
    return torch.where(number > 0, (mean / share * ((1 - mean) / (1 - share))) ** beta, 1.0)


class CodeClassWeights(ClassWeights):
    """The released code's class weights as the setting of a loss in Python: of the term of `y` alone."""

    def weights(self) -> Weights:
        positive = class_weights(self.counts or (), self.n_clips, self.beta).float()
        return positive, torch.ones_like(positive)
