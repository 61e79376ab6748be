"""The asymmetric focal loss: inactive frames that already score low count less than active frames."""

from typing import Literal

from torch import Tensor

from wsed.errors import WsedError
from wsed.losses.base import LOSSES, Loss
from wsed.losses.bce import bce, frame_mask
from wsed.losses.shapes import check_probabilities
from wsed.ops.pooling import EPS
from wsed.ops.precision import at_least_float32
from wsed.ops.reduce import masked_mean
from wsed.types import Batch, Needs, Output


def asymmetric_focal(
    scores: Tensor, targets: Tensor, mask: Tensor | None = None, *, gamma: float = 0.0, zeta: float = 1.0
) -> Tensor:
    """Mean of `-(1 - p)^gamma y ln p - p^zeta (1 - y) ln(1 - p)` (Imoto et al. 2021, asymmetric focal loss).

    Imoto, Mishima, Arai & Kondo 2021, "Impact of sound duration and inactive frames on sound event detection
    performance", ICASSP. With both exponents 0 it is the binary cross-entropy; with `gamma = zeta` the focal loss of
    Lin et al. 2017. With a large `zeta`, inactive frames that already score low count little.

    Args:
        scores: `p`, probabilities `[clip label]` or `[clip frame label]`.
        targets: `y`, in [0, 1], of the same shape.
        mask: elements that count, broadcastable to the scores; all if None.
        gamma: exponent of `1 - p` in the term of `y`.
        zeta: exponent of `p` in the term of `1 - y`.

    Returns:
        0-d, at least float32; a zero attached to the graph if nothing counts.

    Raises:
        WsedError: shapes differ, or an exponent is below 0.

    >>> import torch
    >>> asymmetric_focal(torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 0.0]]), gamma=0.0, zeta=1.0)
    tensor(0.5199)
    """
    _check_exponents(gamma, zeta)
    if scores.shape != targets.shape:
        raise WsedError(
            f"asymmetric_focal: scores and targets must have one shape, not {tuple(scores.shape)} and "
            f"{tuple(targets.shape)}"
        )
    check_probabilities("asymmetric_focal", scores)
    p = at_least_float32(scores).clamp(EPS, 1 - EPS)
    return masked_mean(bce(targets, p, ((1 - p) ** gamma, p**zeta)), mask)


def _check_exponents(gamma: float, zeta: float) -> None:
    if not (gamma >= 0 and zeta >= 0):
        raise WsedError(f"asymmetric_focal: gamma and zeta must be 0 or more, not {gamma:g} and {zeta:g}")


@LOSSES.register("asymmetric_focal")
class AsymmetricFocal(Loss):
    """The asymmetric focal loss on frame scores and events, or on clip scores and tags (Imoto et al. 2021).

    Args:
        gamma: exponent of `1 - p` in the term of active classes; 0 makes the term a cross-entropy.
        zeta: exponent of `p` in the term of inactive classes; the larger, the less low scores of inactive classes
            count.
        scores: `frame`: frame scores with events (strong labels) as targets; `clip`: clip scores with tags (weak
            labels) as targets.

    Raises:
        WsedError: an exponent is below 0.

    >>> import torch
    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> AsymmetricFocal()(output(inputs), inputs).shape
    torch.Size([])
    """

    def __init__(self, gamma: float = 0.0, zeta: float = 1.0, scores: Literal["frame", "clip"] = "frame") -> None:
        super().__init__()
        _check_exponents(gamma, zeta)
        self.gamma, self.zeta, self.of_frames = gamma, zeta, scores == "frame"
        reads, known = ("frame_logits", "timed") if self.of_frames else ("clip_logits", "tagged")
        self.needs = Needs(output=frozenset({reads}), known=frozenset({known}))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        exponents = {"gamma": self.gamma, "zeta": self.zeta}
        if not self.of_frames:
            return asymmetric_focal(output.clip_scores, batch.clip_labels, batch.tagged, **exponents)
        scores = output.frame_scores
        labels = batch.frame_labels(scores.shape[1], output.rate, output.valid)
        return asymmetric_focal(scores, labels, frame_mask(output.valid, batch.timed), **exponents)
