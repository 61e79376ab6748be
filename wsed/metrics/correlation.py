"""Relations between classes: correlation of their scores, and overlap of their events.

Pellegrini, Cances: Cosine-similarity penalty to discriminate sound classes in weakly-supervised sound event detection,
IJCNN 2019, section VI and figure 4.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from wsed.metrics.pairs import columns, ranges
from wsed.types import Events


def class_correlation(mean_scores: Float[Tensor, "clip label"]) -> Float[Tensor, "label label"]:
    """Pearson correlation between the scores of classes over clips, float64.

    The correlation with a class whose score is the same in all clips is 0. The diagonal is 1.

    Args:
        mean_scores: scores averaged over the frames of each clip.

    >>> class_correlation(torch.tensor([[0.0, 1.0], [1.0, 0.0]])).round(decimals=3).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    centred = mean_scores.detach().double()
    centred = centred - centred.mean(0) if len(centred) else centred
    size = centred.norm(dim=0)
    # After centring, a constant column holds only rounding errors.
    varies = size > 1e-12 * mean_scores.detach().double().norm(dim=0)
    unit = torch.where(varies, centred / torch.where(varies, size, 1.0), 0.0)
    correlation = (unit.T @ unit).clamp(-1.0, 1.0)
    return correlation.fill_diagonal_(1.0)


def mean_positive_correlation(correlation: Float[Tensor, "label label"]) -> float:
    """Mean over all pairs of different classes of the correlation, where a negative correlation counts as 0.

    The result is 0 for fewer than two classes. Pellegrini & Cances 2019 report 12.6 % without their penalty and 6.2 %
    with it (45 pairs).

    >>> mean_positive_correlation(torch.tensor([[1.0, 0.5], [0.5, 1.0]]))
    0.5
    """
    pairs = torch.triu_indices(len(correlation), len(correlation), offset=1)
    values = correlation[pairs[0], pairs[1]].clamp(min=0.0)
    return float(values.mean()) if values.numel() else 0.0


def overlap_matrix(events: Events, n_labels: int) -> Float[Tensor, "label label"]:
    """Seconds that events of two classes overlap, summed over all pairs of events; symmetric, float64.

    Events of the same class are not compared: the diagonal is 0.

    Raises:
        WsedError: a label is outside the label axis.

    >>> overlap_matrix(Events.of([(0, 0, 0.0, 2.0), (0, 1, 1.5, 3.0)]), n_labels=2).tolist()
    [[0.0, 0.5], [0.5, 0.0]]
    """
    order = np.lexsort((events.onset.cpu().numpy(), events.clip.cpu().numpy()))
    event = columns(events, n_labels).take(order)
    # Events are sorted by clip and onset: an event overlaps the events after it, up to the first that starts too late.
    rank = np.unique(event.clip, return_inverse=True)[1]
    span = (event.offset.max() - event.onset.min() if event.offset.size else 0.0) + 1.0
    low = event.onset.min() if event.onset.size else 0.0
    stop = np.searchsorted(rank * span + (event.onset - low), rank * span + (event.offset - low), side="right")
    first, second = ranges(np.arange(event.clip.size) + 1, stop)
    shared = np.minimum(event.offset[first], event.offset[second]) - event.onset[second]
    shared = np.where(event.label[first] == event.label[second], 0.0, np.maximum(shared, 0.0))
    cell = event.label[first] * n_labels + event.label[second]
    total = np.bincount(cell, weights=shared, minlength=n_labels**2).reshape(n_labels, n_labels)
    return torch.from_numpy(total + total.T).double()  # without events, bincount returns integers


def overlap_seconds(events: Events, n_labels: int) -> float:
    """Total seconds of overlap between events of different classes; each pair of classes counts once.

    >>> overlap_seconds(Events.of([(0, 0, 0.0, 2.0), (0, 1, 1.5, 3.0)]), n_labels=2)
    0.5
    """
    return float(overlap_matrix(events, n_labels).sum()) / 2
