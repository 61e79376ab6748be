"""Tagging scores: which classes a clip holds, without times."""

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.metrics.counts import Counts


def tag_counts(clip_labels: Bool[Tensor, "clip label"], predicted: Bool[Tensor, "clip label"]) -> Counts:
    """Hits per class over clips.

    Args:
        clip_labels: the classes each clip holds.
        predicted: the classes the system says it holds.

    Returns:
        Counts of clips; `n_sub` pairs, inside each clip, missed with falsely reported classes.

    Raises:
        WsedError: the shapes differ.
    """
    true, said = _arrays(clip_labels.bool(), predicted.bool())
    hits = true & said
    n_sub = np.minimum(true.sum(1), said.sum(1)) - hits.sum(1)
    return Counts(hits.sum(0), true.sum(0), said.sum(0), int(n_sub.sum()))


def average_precision(
    clip_labels: Bool[Tensor, "clip label"], scores: Float[Tensor, "clip label"]
) -> Float[np.ndarray, " label"]:
    """Average precision per class: `sum_n (R_n - R_{n-1}) P_n` over the distinct scores in falling order.

    Clips of equal score enter together, so the order of clips does not matter (as in scikit-learn; no interpolation).
    NaN for a class that no clip holds: leave it out of a mean with `numpy.nanmean`.

    Args:
        clip_labels: the classes each clip holds.
        scores: one score per clip and class, higher meaning surer.

    Raises:
        WsedError: the shapes differ.
    """
    true, score = _arrays(clip_labels.bool(), scores.detach().double())
    result = [_one_class_ap(true[:, label], score[:, label]) for label in range(true.shape[1])]
    return np.array(result, dtype=np.float64)


def _one_class_ap(true: Bool[np.ndarray, " clip"], score: Float[np.ndarray, " clip"]) -> float:
    if not true.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    hits = np.cumsum(true[order])[last_of_tie]
    reported = np.arange(1, true.size + 1)[last_of_tie]
    return float(np.sum(np.diff(hits, prepend=0) * hits / reported) / hits[-1])


def _arrays(first: Tensor, second: Tensor) -> tuple[np.ndarray, np.ndarray]:
    if first.shape != second.shape or first.ndim != 2:
        raise WsedError(
            f"expected two [clip label] tensors of one shape, got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    return first.cpu().numpy(), second.cpu().numpy()
