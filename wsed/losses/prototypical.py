"""The prototypical loss: a clip should be nearest to the mean of other clips of its class."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from wsed.errors import WsedError
from wsed.losses.base import LOSSES, Loss
from wsed.ops.mine import Episode, all_clips, episode, name_order
from wsed.ops.reduce import masked_mean
from wsed.registry import check_option
from wsed.types import Batch, Needs, Output

DISTANCES = ("sqeuclidean", "euclidean", "cosine")
"""Between a query and a prototype; the default stands first."""


def prototypical(
    embeddings: Float[Tensor, "clip dim"], of: Episode, *, distance: str = "sqeuclidean"
) -> Float[Tensor, ""]:
    """Cross-entropy of the queries' classes and the softmax of their negative distances to the prototypes.

    Snell et al. 2017, Eq. 2; Turpault et al. 2020, Eq. 3. A query with several classes should be shared evenly among
    their prototypes: its target is its tags, normalised to one. A sigmoid for each class, the other reading, would ask
    for distances of a size of their own instead of comparing them, and be another loss with one tag per clip.

    Args:
        embeddings: one per clip, any float type; the work is done in float64.
        of: which clips are supports, and which queries; see `wsed.ops.mine.episode`.
        distance: `sqeuclidean`, `euclidean` or `cosine` (1 minus the cosine).

    Returns:
        0-d, float32 or wider: the mean over the queries; a zero with a graph where there is none.

    Raises:
        WsedError: an unknown distance.
    """
    logits = prototype_logits(embeddings, of.support, distance=distance)
    if of.known is not None:  # a query is compared with the classes that are known of it
        logits = torch.where(of.known, logits, torch.finfo(logits.dtype).min)
    share = of.query.to(logits.dtype) / of.query.sum(1, keepdim=True).clamp(min=1)
    costs = -torch.where(of.query, logits.log_softmax(1), 0.0) * share
    loss = masked_mean(costs.sum(1), of.query.any(1))
    return loss.to(torch.promote_types(embeddings.dtype, torch.float32))


def prototype_logits(
    embeddings: Float[Tensor, "clip dim"], support: Bool[Tensor, "clip label"], *, distance: str = "sqeuclidean"
) -> Float[Tensor, "clip label"]:
    """Negative distances of each clip to each class's prototype, the mean of its supports; float64.

    A class without supports has the lowest number there is.

    Args:
        embeddings: one per clip.
        support: clips that count for each class.
        distance: see `prototypical`.
    """
    check_distance(distance)
    with torch.autocast(embeddings.device.type, enabled=False):
        points, weights = embeddings.double(), support.double()
        prototypes = weights.T @ points / weights.sum(0)[:, None].clamp(min=1)
        if distance == "cosine":
            logits = F.normalize(points, dim=1) @ F.normalize(prototypes, dim=1).T - 1
        else:
            energy, other = (x.square().sum(1) for x in (points, prototypes))
            square = (energy[:, None] + other - 2 * points @ prototypes.T).clamp(min=0)
            logits = -square if distance == "sqeuclidean" else -(square + 1e-12).sqrt()
    return torch.where(support.any(0), logits, torch.finfo(logits.dtype).min)


def check_distance(distance: str) -> None:
    """A `WsedError` with the known names if there is no such distance."""
    check_option("prototypical", "distance", distance, DISTANCES)


@LOSSES.register("prototypical")
class Prototypical(Loss):
    """The prototypical loss on clip embeddings; a batch is one episode, of the clips of all ranks.

    Which clips are supports changes from epoch to epoch, by the clips' names. Clips of a class beyond
    `shot + query` play no part: with N processes, whose batches are one episode, let `query` be None.

    Args:
        distance: `sqeuclidean`, `euclidean` or `cosine`.
        shot: supports of each class.
        query: queries of each class; None: all that are no supports.

    Raises:
        WsedError: an unknown distance, or shot or query below 1.
    """

    def __init__(self, distance: str = "sqeuclidean", shot: int = 1, query: int | None = 1) -> None:
        super().__init__()
        check_distance(distance)
        if shot < 1 or (query is not None and query < 1):
            raise WsedError(f"prototypical: shot and query must be 1 or more, not {shot} and {query}")
        self.distance, self.shot, self.query = distance, shot, query
        self.needs = Needs(
            output=frozenset({"clip_embedding"}),
            known=frozenset({"tagged"}),
            classes=2,
            per_class=shot + (query or 1),
        )

    def forward(self, output: Output, batch: Batch) -> Tensor:
        order = name_order(batch.clip_ids, self.epoch).to(batch.tagged.device, non_blocking=True)
        embeddings, tags, tagged, order = all_clips(
            output.need("clip_embedding"), batch.clip_labels, batch.tagged, order
        )
        return prototypical(embeddings, episode(tags, tagged, self.shot, self.query, order), distance=self.distance)
