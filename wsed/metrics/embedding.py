"""Measures of how well clip embeddings separate classes, without a classifier.

Turpault, Serizel, Vincent: Limitations of weak labels for embedding and tagging, ICASSP 2020, Eq. 4 and 5.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import WsedError

Embeddings = Float[Tensor, "clip dim"]
Tags = Float[Tensor, "clip label"]

BLOCK = 2**22
"""Number of distances in memory at a time, 32 MB."""


def class_centres(embeddings: Embeddings, tags: Tags) -> Float[Tensor, "label dim"]:
    """Mean embedding of each class, float64; NaN for a class without clips.

    Args:
        embeddings: one per training clip.
        tags: above 0 where a class is in a clip; a clip counts for each of its classes.

    >>> class_centres(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])).flatten().tolist()
    [1.0, nan]
    """
    weights = (tags > 0).double()
    return weights.T @ embeddings.detach().double() / weights.sum(0)[:, None]


def centre_accuracy(
    embeddings: Embeddings,
    tags: Tags,
    centres: Float[Tensor, "label dim"],
    *,
    macro: bool = False,
    known: Bool[Tensor, "clip label"] | None = None,
) -> float:
    """Share of the clips whose nearest class centre belongs to one of their classes (Turpault et al. 2020, Eq. 4, 5).

    Clips without tags do not count.

    Args:
        embeddings: one per test clip.
        tags: above 0 where a class is in a clip.
        centres: see `class_centres`; classes without a centre (NaN) are never the nearest.
        macro: return the mean over classes of the share per class, as in the authors' code.
        known: tags that are known, all if None; classes that are unknown in a clip are never its nearest.

    Returns:
        in [0, 1]; NaN if no clip counts.

    >>> centre_accuracy(torch.tensor([[0.1], [0.2]]), torch.eye(2), centres=torch.tensor([[0.0], [1.0]]))
    0.5
    """
    points, centres = embeddings.detach().double(), centres.to(embeddings.device, torch.float64)
    square = centres.square().sum(1) - 2 * points @ centres.T  # without |x|^2, which is the same for all centres
    square = square if known is None else square.masked_fill(~known, torch.inf)
    nearest = square.nan_to_num(nan=torch.inf).argmin(1)
    present = tags > 0
    correct = present.gather(1, nearest[:, None])
    if not macro:
        return float(correct[present.any(1)].double().mean())
    share = (correct & present).sum(0).double() / present.sum(0)
    return float(share[present.any(0)].mean())


def scatter_ratio(embeddings: Embeddings, tags: Tags) -> float:
    """`trace(Sw + Sb) / trace(Sw)`: total scatter of the clips divided by the scatter around their class centres.

    Args:
        embeddings: one per clip.
        tags: above 0 where a class is in a clip; one class per clip.

    Returns:
        1 or more; NaN without clips; infinite if the clips of each class coincide and the classes differ.

    Raises:
        WsedError: a clip has no class, or several.

    >>> scatter_ratio(torch.tensor([[0.0], [2.0], [4.0], [6.0]]), torch.eye(2)[[0, 0, 1, 1]])
    5.0
    """
    points, label = embeddings.detach().double(), _one_class(tags)
    within = (points - class_centres(points, tags)[label]).square().sum()
    whole = (points - points.mean(0)).square().sum() if len(points) else within
    return float(whole / within)


def silhouette(embeddings: Embeddings, tags: Tags) -> float:
    """Mean over clips of `(b - a) / max(a, b)` (Rousseeuw 1987), with Euclidean distances; in [-1, 1].

    `a` is the mean distance to the other clips of the class, `b` the mean distance to the clips of the nearest other
    class. The only clip of a class counts 0.

    Args:
        embeddings: one per clip.
        tags: above 0 where a class is in a clip; one class per clip.

    Returns:
        NaN if fewer than two classes have clips.

    Raises:
        WsedError: a clip has no class, or several.

    >>> silhouette(torch.tensor([[0.0], [0.0], [1.0], [1.0]]), torch.eye(2)[[0, 0, 1, 1]])
    1.0
    """
    points, label = embeddings.detach().double(), _one_class(tags)
    members = (tags > 0).double()
    size = members.sum(0)
    if int((size > 0).sum()) < 2:
        return float("nan")
    parts = []
    step = max(1, BLOCK // len(points))
    for rows in (slice(start, start + step) for start in range(0, len(points), step)):
        # inner products would be too imprecise for close clips far from the origin
        total = torch.cdist(points[rows], points, compute_mode="donot_use_mm_for_euclid_dist") @ members
        own, alone = label[rows, None], size[label[rows]] == 1
        a = total.gather(1, own)[:, 0] / (size[label[rows]] - 1).clamp(min=1)
        b = (total / size).scatter(1, own, torch.inf).nan_to_num(nan=torch.inf).amin(1)
        values = (b - a) / torch.maximum(a, b).clamp(min=torch.finfo(a.dtype).tiny)
        parts.append(torch.where(alone, 0.0, values))
    return float(torch.cat(parts).mean())


def _one_class(tags: Tags) -> Int[Tensor, " clip"]:
    if not bool(((tags > 0).sum(1) == 1).all()):
        raise WsedError("scatter_ratio and silhouette need clips of exactly one class each; select them by their tags")
    return (tags > 0).long().argmax(1) if len(tags) else tags.new_zeros(0, dtype=torch.long)
