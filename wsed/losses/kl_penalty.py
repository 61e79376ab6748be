"""A penalty on prediction distributions: classes tagged on one clip should not spread over time in the same way."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.losses.base import LOSSES
from wsed.losses.pairs import CountPairs, PairPenalty, Reduction, pair_penalty
from wsed.ops.pooling import EPS


def kl_similarity(
    curves: Float[Tensor, "clip frame label"], valid: Bool[Tensor, "clip frame"] | None = None
) -> Float[Tensor, "clip label label"]:
    """`exp(-(KL(q_c || q_l) + KL(q_l || q_c)) / 2)`, in [0, 1], `q` the curves of a clip as distributions over time.

    The normalisers cancel: the exponent is `-sum_t (q_c - q_l) (ln p_c - ln p_l) / 2`, hence the differences of one
    matrix product. A curve that is nowhere above 1e-7 is no distribution: it is similar to nothing.
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

    Named as future work by Pellegrini & Cances 2019, without a formula; this one is ours. Mean over clips and labels
    of `y_c sum_{l != c} y_l exp(-(KL(q_c || q_l) + KL(q_l || q_c)) / 2)`, with `q_c = p_c / sum_t p_c`. Where one
    curve is near zero and the other is not, the divergence is large and the gradient small: classes that are already
    apart are left alone.

    Args:
        frame_scores: probabilities; below 1e-7 they count as 1e-7.
        tags: in [0, 1].
        valid: frames that hold signal.
        tagged: tags that are known.
        reduction: see `wsed.losses.pairs.pair_penalty`.
        count_pairs: see there.

    Returns:
        0-d. An all-zero curve costs nothing and its gradient is zero.

    Raises:
        WsedError: an option is unknown, or shapes do not fit.

    >>> kl_penalty(torch.tensor([[[0.5, 0.5], [0.25, 0.25]]]), torch.tensor([[1.0, 1.0]]))
    tensor(1.)
    """
    return pair_penalty(kl_similarity, frame_scores, tags, valid, tagged, reduction=reduction, count_pairs=count_pairs)


@LOSSES.register("kl_penalty")
class KLPenalty(PairPenalty):
    """Penalty on classes tagged on the same clip whose curves, as distributions over time, are near each other.

    The similarity is `exp(-(KL(q_c || q_l) + KL(q_l || q_c)) / 2)`: our reading of the future work of Pellegrini &
    Cances 2019.

    Args:
        reduction: over labels: `mean`, as for the cosine penalty, or `sum_classes`, as many times larger as there are
            classes.
        count_pairs: `ordered`, each pair counts twice, or `unordered`.
    """

    similarity = kl_similarity
