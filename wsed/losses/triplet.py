"""The triplet loss: a clip should be closer to a clip of its class than to a clip of another class, by a margin."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.losses.base import LOSSES, Loss
from wsed.ops.mine import Miner, Pairs, all_clips, name_order, one_per_anchor, relations, triplets
from wsed.types import Batch, Needs, Output

Normalize = Literal["final", "none"]
Reduction = Literal["mean", "sum", "mean_active"]

Distance = Float[Tensor, "clip clip"]
PerTriplet = Float[Tensor, " triplet"]
Cost = Callable[[Tensor, Tensor], Tensor]
Sums = tuple[Tensor, Tensor, Tensor]


@checked
def triplet(
    embeddings: Float[Tensor, "clip dim"],
    tags: Float[Tensor, "clip label"],
    tagged: Bool[Tensor, "clip label"] | None = None,
    *,
    miner: Miner = "all",
    margin: float = 0.3,
    squared: bool = True,
    normalize: Normalize = "final",
    reduction: Reduction = "mean",
    generator: torch.Generator | None = None,
    keys: Int[Tensor, " clip"] | None = None,
) -> Float[Tensor, ""]:
    """Mean of `[d(a, p) - d(a, n) + margin]_+` over triplets (Turpault et al. 2020, Eq. 2).

    A positive shares a tag with its anchor; a negative is known to share none. The memory of the miners `all` and
    `semi_hard` grows with the square of the batch size.

    Args:
        embeddings: one per clip, any float type; computed in float64.
        tags: above 0 where a class is in a clip.
        tagged: tags that are known; see `wsed.ops.mine.relations`.
        miner: how triplets are picked; see `wsed.ops.mine.triplets`. The authors use `random`. With balanced classes,
            its expected value is the value with `all`.
        margin: in the unit of the distance; squared distances of unit vectors lie between 0 and 4.
        squared: use squared Euclidean distances; otherwise `sqrt(d^2 + 1e-8)`, as in the authors' code.
        normalize: `final`: embeddings are L2-normalised; `none`: they are used as they are.
        reduction: `mean` over triplets; `sum`; `mean_active`: mean over the triplets with a cost above 0.
        generator: random numbers for the miner `random`; the default generator of torch if None.
        keys: replace the random numbers of `generator`; see `wsed.ops.mine.one_per_anchor`.

    Returns:
        0-d, at least float32; a zero attached to the graph if there are no triplets.

    Raises:
        WsedError: an option has an unknown value.

    >>> points = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> triplet(points, torch.eye(2)[[0, 0, 1]], margin=2.5)
    tensor(0.5000)
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        d = distances(embeddings, squared=squared, normalize=normalize)
        pairs = relations(tags, tagged)
        if miner in ("all", "semi_hard"):
            total, count, active = _hinge_sums(d, *pairs, margin, semi_hard=miner == "semi_hard")
        else:
            total, count, active = sums(d, *pairs, miner, margin, partial(hinge, margin=margin), generator, keys)
        loss = reduced(total, count, active, reduction)
    return loss.to(torch.promote_types(embeddings.dtype, torch.float32))


@checked
def distances(
    embeddings: Float[Tensor, "clip dim"],
    others: Float[Tensor, "clip dim"] | None = None,
    *,
    squared: bool = True,
    normalize: Normalize = "final",
) -> Distance:
    """Distances from each clip as an anchor (row) to each clip (column), float64.

    Args:
        embeddings: embeddings of the anchors.
        others: embeddings of positives and negatives; those of the anchors if None.
        squared: see `triplet`.
        normalize: see `triplet`.

    >>> distances(torch.eye(2))
    tensor([[0., 2.],
            [2., 0.]], dtype=torch.float64)
    """
    points = _points(embeddings, normalize)
    places = points if others is None else _points(others, normalize)
    energy, other_energy = (x.square().sum(1) for x in (points, places))
    square = (energy[:, None] + other_energy - 2 * points @ places.T).clamp(min=0)
    return square if squared else (square + 1e-8).sqrt()


def _points(embeddings: Float[Tensor, "clip dim"], normalize: Normalize) -> Float[Tensor, "clip dim"]:
    points = embeddings.double()
    return F.normalize(points, dim=1, eps=1e-12) if normalize == "final" else points


def hinge(near: PerTriplet, far: PerTriplet, margin: float = 0.3) -> PerTriplet:
    """Costs of triplets from the distances of the anchor to the positive (`near`) and to the negative (`far`).

    >>> hinge(torch.tensor([0.5]), torch.tensor([0.25]), margin=0.25)
    tensor([0.5000])
    """
    return (near - far + margin).relu()


@checked
def sums(
    d: Distance,
    positive: Pairs,
    negative: Pairs,
    miner: Miner,
    margin: float,
    cost: Cost,
    generator: torch.Generator | None = None,
    keys: Int[Tensor, " clip"] | None = None,
) -> Sums:
    """Sum of the costs of triplets, the number of triplets, and the number with a cost above 0.

    Args:
        d: distances from anchor (row) to clip (column).
        positive: positive pairs, see `wsed.ops.mine.relations`.
        negative: negative pairs.
        miner: how triplets are picked.
        margin: margin of the miner `semi_hard`.
        cost: cost of triplets from the distances of the anchor to the positive and to the negative.
        generator: random numbers for the miner `random`.
        keys: replace the random numbers of `generator`; see `wsed.ops.mine.one_per_anchor`.

    >>> d = torch.tensor([[0.0, 1.0, 3.0], [1.0, 0.0, 3.0], [3.0, 3.0, 0.0]])
    >>> sums(d, *relations(torch.eye(2)[[0, 0, 1]]), "all", 0.3, lambda near, far: near / far)
    (tensor(0.6667), tensor(2), tensor(2))
    """
    if miner == "random" or miner == "hard":
        same, other, exists = one_per_anchor(positive, negative, miner, d, generator, keys)
        near, far = (d.gather(1, clip[:, None])[:, 0] for clip in (same, other))
        costs = torch.where(exists, cost(near, far), 0.0)
        return costs.sum(), exists.sum(), (costs > 0).sum()
    anchor, same, other = triplets(positive, negative, miner, d.detach(), margin, generator)
    costs = cost(d[anchor, same], d[anchor, other])
    return costs.sum(), torch.tensor(costs.numel()), (costs > 0).sum()


@checked
def reduced(total: Tensor, count: Tensor, active: Tensor, reduction: Reduction) -> Tensor:
    """The sum, the mean over triplets, or the mean over the triplets with a cost above 0.

    >>> reduced(torch.tensor(6.0), torch.tensor(3), torch.tensor(2), "mean_active")
    tensor(3.)
    """
    return total if reduction == "sum" else total / (count if reduction == "mean" else active).clamp(min=1)


def _hinge_sums(d: Distance, positive: Pairs, negative: Pairs, margin: float, semi_hard: bool) -> Sums:
    """`sums` of all (or all semi-hard) triplets with the cost `hinge`.

    Triplets are not listed. The negatives of an anchor are sorted by distance, so that the negatives with a cost above
    0 are adjacent. Their sum `sum_n [limit - d_n]` needs only their number and the sum of their distances.
    """
    far = d.masked_fill(~negative, torch.inf).sort(1).values
    before = F.pad(torch.where(far.isinf(), 0.0, far).cumsum(1), (1, 0))  # sum of the k nearest negatives
    limit = d + margin
    last = torch.searchsorted(far.detach(), limit.detach())
    first = torch.searchsorted(far.detach(), d.detach(), right=True) if semi_hard else torch.zeros_like(last)
    count = last - first
    costs = count * limit - before.gather(1, last) + before.gather(1, first)
    active = torch.where(positive, count, 0).sum()
    whole = active if semi_hard else (positive.sum(1) * negative.sum(1)).sum()
    return torch.where(positive, costs, 0.0).sum(), whole, active


@LOSSES.register("triplet")
class Triplet(Loss):
    """The triplet loss on clip embeddings, of the clips of all ranks (Turpault et al. 2020).

    Args:
        miner: how triplets are picked: `all`, `random`, `semi_hard` or `hard`; see `triplet` for all arguments.
        margin: in the unit of the distance.
        squared: use squared Euclidean distances.
        normalize: `final` (L2-normalised embeddings) or `none`.
        reduction: `mean`, `sum` or `mean_active`.

    Raises:
        WsedError: an option has an unknown value, or the margin is negative.

    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> Triplet()(output(inputs), inputs).shape
    torch.Size([])
    """

    needs = Needs(output=frozenset({"clip_embedding"}), known=frozenset({"tagged"}), classes=2, per_class=2)

    def __init__(
        self,
        miner: Miner = "all",
        margin: float = 0.3,
        squared: bool = True,
        normalize: Normalize = "final",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        if margin < 0:
            raise WsedError(f"triplet: margin must be 0 or more, not {margin:g}")
        self.of_clips = partial(
            triplet, miner=miner, margin=margin, squared=squared, normalize=normalize, reduction=reduction
        )

    def forward(self, output: Output, batch: Batch) -> Tensor:
        names = name_order(batch.clip_ids, self.epoch).to(batch.tagged.device, non_blocking=True)
        *clips, keys = all_clips(output.need("clip_embedding"), batch.clip_labels, batch.tagged, names)
        return self.of_clips(*clips, keys=keys)
