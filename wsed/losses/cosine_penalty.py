"""The cosine-similarity penalty: classes tagged on one clip should not follow the same curve."""

import torch
from torch import Tensor

from wsed.losses.base import LOSSES, Loss
from wsed.ops.reduce import masked_mean
from wsed.types import Batch, Needs, Output


def cosine_penalty(
    frame_scores: Tensor, tags: Tensor, valid: Tensor | None = None, tagged: Tensor | None = None
) -> Tensor:
    """Mean over clips and labels of `y_c sum_{l != c} y_l cos(curve_c, curve_l)` (Pellegrini & Cances 2019, Eq. 2-3).

    Curves are probabilities, so no cosine is negative and the paper's `max(0, .)` changes nothing. Then the sum
    over `l` is one product with the sum of all tagged unit curves: no `[label label]` matrix is held.

    Args:
        frame_scores: `[clip frame label]` probabilities.
        tags: `[clip label]` in [0, 1].
        valid: `[clip frame]`, frames that hold signal.
        tagged: `[clip]`, clips whose tags are known.

    Returns:
        0-d; each unordered pair counts twice, as in the paper. An all-zero curve is similar to nothing and its
        gradient is finite.
    """
    tags = tags.to(frame_scores.dtype)
    if valid is not None:
        frame_scores = torch.where(valid[..., None], frame_scores, 0.0)
    energy = frame_scores.square().sum(1, keepdim=True)
    unit = frame_scores * torch.where(energy > 1e-12, energy, 1.0).rsqrt()
    tagged_unit = unit * tags[:, None]
    others = tagged_unit.sum(2, keepdim=True) - tagged_unit
    similarity = (unit * others).sum(1)
    return masked_mean(tags * similarity, None if tagged is None else tagged[:, None])


@LOSSES.register("cosine_penalty")
class CosinePenalty(Loss):
    """Penalty on the cosine between curves of classes tagged on the same clip; the paper's weight is 0.1."""

    needs = Needs(output=frozenset({"frame_logits"}), known=frozenset({"tagged"}))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        return cosine_penalty(output.frame_scores, batch.clip_labels, output.valid, batch.tagged)
