"""A penalty on the Kullback-Leibler divergence: classes tagged on the same clip should be active at different times.

A curve is the scores of one class over the frames of a clip.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.literals import checked
from wsed.losses.base import LOSSES
from wsed.losses.pairs import CountPairs, PairPenalty, Reduction, pair_penalty
from wsed.losses.shapes import check_probabilities
from wsed.ops.pooling import EPS


def kl_similarity(
    curves: Float[Tensor, "clip frame label"], valid: Bool[Tensor, "clip frame"] | None = None
) -> Float[Tensor, "clip label label"]:
    """Similarity of each pair of curves, in [0, 1]: `exp(-(KL(q_c || q_l) + KL(q_l || q_c)) / 2)`.

    `q` are the curves `p` of a clip, normalised to distributions over time. The normalisers cancel: the exponent is
    `-sum_t (q_c - q_l) (ln p_c - ln p_l) / 2`, which one matrix product computes for all pairs. The similarity with a
    curve that is nowhere above 1e-7 is 0.

    >>> kl_similarity(torch.full((1, 2, 1), 0.5))
    tensor([[[1.]]])
    """
    if valid is not None:
        curves = torch.where(valid[..., None], curves, 0.0)
    raised = curves.clamp(min=EPS)
    present = (curves > EPS).any(1)
    weights = raised if valid is None else torch.where(valid[..., None], raised, 0.0)
    cross = weights.mT @ raised.log() / weights.sum(1)[:, :, None].clamp(min=EPS)  # [c l]: sum_t q_c ln p_l
    own = cross.diagonal(dim1=1, dim2=2)
    divergence = (own[:, :, None] + own[:, None] - cross - cross.mT) / 2
    return torch.where(present[:, :, None] & present[:, None], torch.exp(-divergence.clamp(min=0.0)), 0.0)


@checked
def kl_penalty(
    frame_scores: Float[Tensor, "clip frame label"],
    tags: Float[Tensor, "clip label"],
    valid: Bool[Tensor, "clip frame"] | None = None,
    tagged: Bool[Tensor, "clip label"] | None = None,
    *,
    reduction: Reduction = "mean",
    count_pairs: CountPairs = "ordered",
) -> Float[Tensor, ""]:
    """The cosine penalty with the Kullback-Leibler divergence of the curves in place of their cosine.

    Mean over clips and labels of `y_c sum_{l != c} y_l exp(-(KL(q_c || q_l) + KL(q_l || q_c)) / 2)`, with
    `q_c = p_c / sum_t p_c`. Pellegrini & Cances 2019 name it as future work without a formula; this formula is the
    library's. If one curve is near zero in a frame and the other is not, the divergence is large and the gradient
    small: classes that are already active at different times are hardly changed.

    Args:
        frame_scores: probabilities; values below 1e-7 count as 1e-7.
        tags: in [0, 1].
        valid: frames that hold signal; all if None.
        tagged: tags that are known; all if None.
        reduction: see `wsed.losses.pairs.pair_penalty`.
        count_pairs: see `wsed.losses.pairs.pair_penalty`.

    Returns:
        0-d. An all-zero curve costs nothing, and its gradient is zero.

    Raises:
        WsedError: an option is unknown, or shapes do not fit.

    >>> kl_penalty(torch.tensor([[[0.5, 0.5], [0.25, 0.25]]]), torch.tensor([[1.0, 1.0]]))
    tensor(1.)
    """
    check_probabilities("kl_penalty", frame_scores)
    return pair_penalty(kl_similarity, frame_scores, tags, valid, tagged, reduction=reduction, count_pairs=count_pairs)


@LOSSES.register("kl_penalty")
class KLPenalty(PairPenalty):
    """Penalty on classes tagged on the same clip whose curves, as distributions over time, are close to each other.

    The similarity of two curves is `exp(-(KL(q_c || q_l) + KL(q_l || q_c)) / 2)`: the library's reading of the future
    work of Pellegrini & Cances 2019.

    Args:
        reduction: `mean` over labels, or `sum_classes`: the sum over labels.
        count_pairs: `ordered`: each pair counts twice; `unordered`: each pair counts once.
        exempt: pairs of classes that truly overlap, which are not penalised: `[[Speech, Frying], ...]`.

    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> KLPenalty()(output(inputs), inputs).shape
    torch.Size([])
    """

    similarity = kl_similarity
