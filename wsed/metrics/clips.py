"""Counts of tags: which classes are in a clip, without times."""

import numpy as np
from jaxtyping import Bool
from torch import Tensor

from wsed.errors import WsedError
from wsed.metrics.counts import Counts


def tag_counts(
    clip_labels: Bool[Tensor, "clip label"],
    predicted: Bool[Tensor, "clip label"],
    known: Bool[Tensor, "clip label"] | None = None,
) -> Counts:
    """Count hits per class over clips.

    Args:
        clip_labels: the classes that are in each clip.
        predicted: the classes that the system predicts for each clip.
        known: tags that are known, all if None; other tags are ignored on both sides.

    Returns:
        Counts of clips. `n_sub` is the number of missed classes that are paired with a false class of the same clip.

    Raises:
        WsedError: the shapes differ.

    >>> import torch
    >>> true = torch.tensor([[True, False], [True, True]])
    >>> tag_counts(true, torch.tensor([[True, True], [False, True]])).tp.tolist()
    [1, 1]
    """
    true, estimated = _arrays(clip_labels.bool(), predicted.bool())
    if known is not None:
        mask = known.cpu().numpy()
        true, estimated = true & mask, estimated & mask
    hits = true & estimated
    n_sub = np.minimum(true.sum(1), estimated.sum(1)) - hits.sum(1)
    return Counts(hits.sum(0), true.sum(0), estimated.sum(0), int(n_sub.sum()))


def _arrays(first: Tensor, second: Tensor) -> tuple[np.ndarray, np.ndarray]:
    if first.shape != second.shape or first.ndim != 2:
        raise WsedError(
            f"expected two [clip label] tensors of one shape, got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    return first.cpu().numpy(), second.cpu().numpy()
