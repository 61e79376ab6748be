"""Tagging scores: which classes a clip holds, without times."""

import numpy as np
from jaxtyping import Bool
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


def _arrays(first: Tensor, second: Tensor) -> tuple[np.ndarray, np.ndarray]:
    if first.shape != second.shape or first.ndim != 2:
        raise WsedError(
            f"expected two [clip label] tensors of one shape, got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    return first.cpu().numpy(), second.cpu().numpy()
