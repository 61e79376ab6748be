"""The prototypical loss: a clip should be closest to the mean of other clips of its class."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.losses.base import LOSSES, Loss
from wsed.ops.mine import Episode, all_clips, episode, name_order
from wsed.ops.reduce import masked_mean
from wsed.types import Batch, Needs, Output

Distance = Literal["sqeuclidean", "euclidean", "cosine"]
"""Distances between a query and a prototype."""


@checked
def prototypical(
    embeddings: Float[Tensor, "clip dim"], drawn: Episode, *, distance: Distance = "sqeuclidean"
) -> Float[Tensor, ""]:
    """Cross-entropy of the classes of queries and a softmax of their negative distances to the prototypes.

    Snell et al. 2017, Eq. 2; Turpault et al. 2020, Eq. 3. The target of a query with several classes is its tags
    divided by their number. The other reading, a sigmoid per class, is not used: it would depend on the absolute size
    of distances, and would differ from the published loss for clips with one tag.

    Args:
        embeddings: one per clip, any float type; computed in float64.
        drawn: the episode: clips that are supports and clips that are queries; see `wsed.ops.mine.episode`.
        distance: `sqeuclidean`, `euclidean` or `cosine` (1 minus the cosine).

    Returns:
        0-d, at least float32: the mean over the queries; a zero attached to the graph if there are no queries.

    Raises:
        WsedError: the distance is unknown.

    >>> drawn = episode(torch.eye(2)[[0, 0, 1, 1]], order=torch.arange(4))
    >>> prototypical(torch.tensor([[0.0], [0.0], [1.0], [1.0]]), drawn)
    tensor(0.3133)
    """
    logits = prototype_logits(embeddings, drawn.support, distance=distance)
    if drawn.known is not None:  # a query is compared only with classes that are known in its clip
        logits = torch.where(drawn.known, logits, torch.finfo(logits.dtype).min)
    share = drawn.query.to(logits.dtype) / drawn.query.sum(1, keepdim=True).clamp(min=1)
    costs = -torch.where(drawn.query, logits.log_softmax(1), 0.0) * share
    loss = masked_mean(costs.sum(1), drawn.query.any(1))
    return loss.to(torch.promote_types(embeddings.dtype, torch.float32))


@checked
def prototype_logits(
    embeddings: Float[Tensor, "clip dim"], support: Bool[Tensor, "clip label"], *, distance: Distance = "sqeuclidean"
) -> Float[Tensor, "clip label"]:
    """Negative distances of each clip to the prototype of each class, float64.

    A prototype is the mean of the supports of a class. The logit of a class without supports is the lowest float64
    number.

    Args:
        embeddings: one per clip.
        support: supports of each class.
        distance: see `prototypical`.

    >>> prototype_logits(torch.tensor([[0.0], [3.0]]), torch.eye(2, dtype=torch.bool)).abs().tolist()
    [[0.0, 9.0], [9.0, 0.0]]
    """
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


@LOSSES.register("prototypical")
class Prototypical(Loss):
    """The prototypical loss on clip embeddings; the batches of all ranks form one episode.

    Supports and queries are drawn anew in each epoch; the draw depends on nothing but the epoch and the names of the
    clips. Of each class, `shot + query` clips are used; with several processes, set `query: null` to use all clips.

    Args:
        distance: `sqeuclidean`, `euclidean` or `cosine`.
        shot: supports per class.
        query: queries per class; None: all clips that are not supports.

    Raises:
        WsedError: the distance is unknown, or `shot` or `query` is below 1.

    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> Prototypical()(output(inputs), inputs).shape
    torch.Size([])
    """

    def __init__(self, distance: Distance = "sqeuclidean", shot: int = 1, query: int | None = 1) -> None:
        super().__init__()
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
