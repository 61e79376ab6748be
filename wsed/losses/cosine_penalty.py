"""The cosine-similarity penalty: classes tagged on the same clip should not have similar curves.

A curve is the scores of one class over the frames of a clip.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.literals import checked
from wsed.losses.base import LOSSES
from wsed.losses.pairs import CountPairs, PairPenalty, Reduction, pair_penalty
from wsed.losses.shapes import check_probabilities


def cosine_similarity(
    curves: Float[Tensor, "clip frame label"], valid: Bool[Tensor, "clip frame"] | None = None
) -> Float[Tensor, "clip label label"]:
    """Cosine similarity of each pair of curves of a clip, over its valid frames (Pellegrini & Cances 2019, Eq. 3).

    The cosine with an all-zero curve is 0, and its gradient is finite.

    >>> cosine_similarity(torch.eye(2)[None])
    tensor([[[1., 0.],
             [0., 1.]]])
    """
    if valid is not None:
        curves = torch.where(valid[..., None], curves, 0.0)
    energy = curves.square().sum(1, keepdim=True)
    unit = curves * torch.where(energy > 1e-12, energy, 1.0).rsqrt()
    return unit.mT @ unit


@checked
def cosine_penalty(
    frame_scores: Float[Tensor, "clip frame label"],
    tags: Float[Tensor, "clip label"],
    valid: Bool[Tensor, "clip frame"] | None = None,
    tagged: Bool[Tensor, "clip label"] | None = None,
    *,
    reduction: Reduction = "mean",
    count_pairs: CountPairs = "ordered",
) -> Float[Tensor, ""]:
    """Mean over clips and labels of `y_c sum_{l != c} y_l cos(curve_c, curve_l)` (Pellegrini & Cances 2019, Eq. 2-3).

    Curves are probabilities, so no cosine is negative and the `max(0, .)` of Eq. 3 changes nothing.

    Args:
        frame_scores: probabilities.
        tags: in [0, 1].
        valid: frames that hold signal; all if None.
        tagged: tags that are known; all if None.
        reduction: see `wsed.losses.pairs.pair_penalty`.
        count_pairs: see `wsed.losses.pairs.pair_penalty`; by default each pair counts twice, as in Eq. 2.

    Returns:
        0-d.

    Raises:
        WsedError: an option is unknown, or shapes do not fit.

    >>> cosine_penalty(torch.tensor([[[0.5, 0.5], [0.0, 0.0]]]), torch.tensor([[1.0, 1.0]]))
    tensor(1.)
    >>> cosine_penalty(torch.tensor([[[0.5, 0.0], [0.0, 0.5]]]), torch.tensor([[1.0, 1.0]]))
    tensor(0.)
    """
    check_probabilities("cosine_penalty", frame_scores)
    return pair_penalty(
        cosine_similarity, frame_scores, tags, valid, tagged, reduction=reduction, count_pairs=count_pairs
    )


@LOSSES.register("cosine_penalty")
class CosinePenalty(PairPenalty):
    """Penalty on the cosine of the curves of classes tagged on the same clip (Pellegrini & Cances 2019).

    The authors use it with the weight 0.1.

    Args:
        reduction: `mean` over labels, as in the authors' code, or `sum_classes`: the sum over labels.
        count_pairs: `ordered`: each pair counts twice, as in Eq. 2; `unordered`: each pair counts once.
        exempt: pairs of classes that truly overlap, which are not penalised: `[[Speech, Frying], ...]`.

    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> CosinePenalty()(output(inputs), inputs).shape
    torch.Size([])
    """

    similarity = cosine_similarity
