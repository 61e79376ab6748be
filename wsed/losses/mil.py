"""Multiple instance learning: frame scores are pooled over time, and only the pooled scores have targets."""

import torch
from torch import Tensor, nn

from wsed.literals import checked
from wsed.losses.base import LOSSES, Loss
from wsed.losses.bce import bce
from wsed.losses.shapes import check_probabilities, check_shapes
from wsed.ops.pooling import POOLINGS, Pooling, max_pool, mean_pool, min_pool
from wsed.ops.precision import at_least_float32
from wsed.ops.reduce import masked_mean
from wsed.types import Batch, Needs, Output


@checked
def mil(
    frame_scores: Tensor,
    tags: Tensor,
    valid: Tensor | None = None,
    tagged: Tensor | None = None,
    *,
    pooling: Pooling = "max",
    **arguments: Tensor | float,
) -> Tensor:
    """Cross-entropy of the pooled frame scores and the tags (Pellegrini & Cances 2019, Eq. 1 with `max`).

    Args:
        frame_scores: `[clip frame label]`, probabilities.
        tags: `[clip label]`, in [0, 1].
        valid: `[clip frame]`, frames that hold signal; all if None.
        tagged: `[clip label]`, tags that are known; all if None.
        pooling: how frame scores become clip scores; see `wsed.ops.pooling`.
        **arguments: further arguments of the pooling: `attention [clip frame label]` or `alpha`.

    Raises:
        WsedError: shapes do not fit, or the pooling is unknown.

    >>> frame_scores = torch.tensor([[[0.1], [0.9]], [[0.2], [0.1]]])
    >>> mil(frame_scores, torch.tensor([[1.0], [0.0]]))
    tensor(0.1643)
    """
    check_shapes("mil", frame_scores, tags, valid, tagged)
    check_probabilities("mil", frame_scores)
    clip_scores = POOLINGS[pooling](at_least_float32(frame_scores), valid, **arguments)
    return masked_mean(bce(tags, clip_scores), tagged)


def mmm(frame_scores: Tensor, tags: Tensor, valid: Tensor | None = None, tagged: Tensor | None = None) -> Tensor:
    """Max-mean-min: the sum of three cross-entropies of pooled frame scores (Morfi & Stowell 2018).

    The targets of the maximum, mean and minimum over time are `y`, `y / 2` and 0. Arguments as in `mil`.

    Raises:
        WsedError: shapes do not fit.

    >>> mmm(torch.tensor([[[0.0], [1.0]]]), torch.tensor([[1.0]]))
    tensor(0.6931)
    """
    check_shapes("mmm", frame_scores, tags, valid, tagged)
    check_probabilities("mmm", frame_scores)
    frame_scores = at_least_float32(frame_scores)
    per_label = (
        bce(tags, max_pool(frame_scores, valid))
        + bce(tags.to(frame_scores.dtype) / 2, mean_pool(frame_scores, valid))
        + bce(torch.zeros_like(tags), min_pool(frame_scores, valid))
    )
    return masked_mean(per_label, tagged)


@LOSSES.register("mil")
class MIL(Loss):
    """Multiple instance learning with any pooling.

    Args:
        pooling: `max`, `mean`, `linear_softmax`, `exp_softmax`, `attention`, `auto` or `noisy_or`; see
            `wsed.ops.pooling`.
        alpha: initial value of the learned sharpness of `auto`.

    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> MIL()(output(inputs), inputs).shape
    torch.Size([])
    """

    def __init__(self, pooling: Pooling = "max", alpha: float = 1.0) -> None:
        super().__init__()
        self.pooling = pooling
        self.alpha = nn.Parameter(torch.tensor(alpha)) if pooling == "auto" else None
        fields = {"frame_logits", "attention"} if pooling == "attention" else {"frame_logits"}
        self.needs = Needs(output=frozenset(fields), known=frozenset({"tagged"}))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        arguments: dict[str, Tensor] = {}
        if self.alpha is not None:
            arguments["alpha"] = self.alpha
        if self.pooling == "attention":
            arguments["attention"] = output.need("attention")
        return mil(
            output.frame_scores, batch.clip_labels, output.valid, batch.tagged, pooling=self.pooling, **arguments
        )


@LOSSES.register("mmm")
class MMM(Loss):
    """Max-mean-min (Morfi & Stowell 2018): `mil` with max, plus targets for the mean and minimum over time; see `mmm`.

    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> MMM()(output(inputs), inputs).shape
    torch.Size([])
    """

    needs = Needs(output=frozenset({"frame_logits"}), known=frozenset({"tagged"}))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        return mmm(output.frame_scores, batch.clip_labels, output.valid, batch.tagged)
