"""How well embeddings of clips tell classes apart, without a classifier.

Turpault, Serizel, Vincent: Limitations of weak labels for embedding and tagging, ICASSP 2020, Eq. 4 and 5.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import WsedError

Embeddings = Float[Tensor, "clip dim"]
Tags = Float[Tensor, "clip label"]

BLOCK = 2**22
"""Distances held at a time, 32 MB."""


def class_centres(embeddings: Embeddings, tags: Tags) -> Float[Tensor, "label dim"]:
    """Mean embedding of each class, float64; NaN for a class without clips.

    Args:
        embeddings: of the training clips.
        tags: above 0 where a class is in a clip; a clip counts for each of its classes.
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
    """Share of the clips whose nearest class centre is that of (one of) their classes (Eq. 4 and 5).

    Clips without tags do not count.

    Args:
        embeddings: of the clips to be judged.
        tags: above 0 where a class is in a clip.
        centres: see `class_centres`; a class without a centre (NaN) is nearest to nothing.
        macro: mean over classes that have clips of their share, as in the authors' code, not over clips.
        known: which tags are known of each clip; an unknown class is nearest to nothing. None: all.

    Returns:
        in [0, 1]; NaN where no clip counts.
    """
    points, centres = embeddings.detach().double(), centres.to(embeddings.device, torch.float64)
    square = centres.square().sum(1) - 2 * points @ centres.T  # less |x|^2, which is the same for all centres
    square = square if known is None else square.masked_fill(~known, torch.inf)
    nearest = square.nan_to_num(nan=torch.inf).argmin(1)
    sets = tags > 0
    right = sets.gather(1, nearest[:, None])
    if not macro:
        return float(right[sets.any(1)].double().mean())
    share = (right & sets).sum(0).double() / sets.sum(0)
    return float(share[sets.any(0)].mean())


def scatter_ratio(embeddings: Embeddings, tags: Tags) -> float:
    """`trace(Sw + Sb) / trace(Sw)`: scatter of all clips by scatter about their class centres; 1 or more.

    Args:
        embeddings: of clips.
        tags: above 0 where a class is in a clip; one class a clip.

    Returns:
        NaN without clips, infinite if the clips of each class are one point and the classes differ.

    Raises:
        WsedError: a clip has no class, or several.
    """
    points, label = embeddings.detach().double(), _one_class(tags)
    within = (points - class_centres(points, tags)[label]).square().sum()
    whole = (points - points.mean(0)).square().sum() if len(points) else within
    return float(whole / within)


def silhouette(embeddings: Embeddings, tags: Tags) -> float:
    """Mean over clips of `(b - a) / max(a, b)` (Rousseeuw 1987), with Euclidean distances; in [-1, 1].

    `a` is the mean distance to the other clips of the class, `b` to those of the nearest other class. A clip alone in
    its class counts 0.

    Args:
        embeddings: of clips.
        tags: above 0 where a class is in a clip; one class a clip.

    Returns:
        NaN where fewer than two classes have clips.

    Raises:
        WsedError: a clip has no class, or several.
    """
    points, label = embeddings.detach().double(), _one_class(tags)
    members = (tags > 0).double()
    size = members.sum(0)
    if int((size > 0).sum()) < 2:
        return float("nan")
    parts = []
    step = max(1, BLOCK // len(points))
    for rows in (slice(start, start + step) for start in range(0, len(points), step)):
        # not by inner products: of near clips far from the origin they tell nothing
        total = torch.cdist(points[rows], points, compute_mode="donot_use_mm_for_euclid_dist") @ members
        own, alone = label[rows, None], size[label[rows]] == 1
        a = total.gather(1, own)[:, 0] / (size[label[rows]] - 1).clamp(min=1)
        b = (total / size).scatter(1, own, torch.inf).nan_to_num(nan=torch.inf).amin(1)
        worth = (b - a) / torch.maximum(a, b).clamp(min=torch.finfo(a.dtype).tiny)
        parts.append(torch.where(alone, 0.0, worth))
    return float(torch.cat(parts).mean())


def _one_class(tags: Tags) -> Int[Tensor, " clip"]:
    if not bool(((tags > 0).sum(1) == 1).all()):
        raise WsedError("scatter_ratio and silhouette need clips of exactly one class each; select them by their tags")
    return (tags > 0).long().argmax(1) if len(tags) else tags.new_zeros(0, dtype=torch.long)
