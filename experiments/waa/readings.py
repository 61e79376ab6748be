"""Readings of the triplet loss (Turpault, Serizel & Vincent 2020) that the core does not offer, by import path in YAML:

triplets: {loss: {class_path: experiments.waa.readings.ReadingTriplet, init_args: {gradient: anchor_only}}}
"""

from functools import partial
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import check_option
from wsed.losses.triplet import Normalize, PerTriplet, Reduction, Triplet, distances, hinge, reduced, sums
from wsed.ops.mine import Miner, relations

Cost = Literal["hinge", "ratio"]
Gradient = Literal["all", "anchor_only"]


def ratio(near: PerTriplet, far: PerTriplet) -> PerTriplet:
    """`2 sigmoid(near - far)^2`: what a triplet costs in the authors' code where no margin is given."""
    return 2 * torch.sigmoid(near - far).square()


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
    cost: Cost = "hinge",
    gradient: Gradient = "all",
    generator: torch.Generator | None = None,
    keys: Int[Tensor, " clip"] | None = None,
) -> Float[Tensor, ""]:
    """`wsed.losses.triplet.triplet` with each reading; every triplet is made, also by the miner `all`."""
    with torch.autocast(embeddings.device.type, enabled=False):
        others = embeddings.detach() if gradient == "anchor_only" else None
        d = distances(embeddings, others, squared=squared, normalize=normalize)
        of_triplets = ratio if cost == "ratio" else partial(hinge, margin=margin)
        found = sums(d, *relations(tags, tagged), miner, margin, of_triplets, generator, keys)
        loss = reduced(*found, reduction)
    return loss.to(torch.promote_types(embeddings.dtype, torch.float32))


class ReadingTriplet(Triplet):
    """`wsed.losses.triplet.Triplet` with readings as options.

    Args:
        miner: as in the core, as are margin, squared, normalize, reduction.
        cost: `hinge`, or the `ratio` of the authors' code, see `ratio` above.
        gradient: `all`, or `anchor_only`: positives and negatives are constants, as in the paper and the authors' code.
    """

    def __init__(
        self,
        miner: Miner = "all",
        margin: float = 0.3,
        squared: bool = True,
        normalize: Normalize = "final",
        reduction: Reduction = "mean",
        cost: Cost = "hinge",
        gradient: Gradient = "all",
    ) -> None:
        super().__init__(miner, margin, squared, normalize, reduction)
        check_option("triplet", "cost", cost, get_args(Cost))
        check_option("triplet", "gradient", gradient, get_args(Gradient))
        self.of_clips = partial(triplet, **self.of_clips.keywords, cost=cost, gradient=gradient)
