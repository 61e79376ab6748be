"""Triplets and episodes, mined from a flat batch by the tags of its clips.

A clip may have several tags: two clips are a positive pair if they share one, a negative pair if they share none.
"""

import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from wsed.errors import WsedError
from wsed.ops.reduce import world_size
from wsed.registry import check_option

MINERS = ("all", "random", "semi_hard", "hard")

Tags = Float[Tensor, "clip label"]
Tagged = Bool[Tensor, "clip label"]
Pairs = Bool[Tensor, "clip clip"]


class Triplets(NamedTuple):
    """Indices of clips in a batch, one triplet each: the anchor, a positive and a negative of it."""

    anchor: Int[Tensor, " triplet"]
    positive: Int[Tensor, " triplet"]
    negative: Int[Tensor, " triplet"]


class Episode(NamedTuple):
    """A batch split into supports and queries, by class; no clip is both.

    `support[i, c]`: clip `i` counts for the prototype of class `c`. `query[i, c]`: clip `i` is a query, and `c` is one
    of its classes. A class without supports has no part in the episode. `known[i, c]`: it is known whether clip `i` is
    of class `c`, so that it may be compared with that class's prototype; everything is if None.
    """

    support: Bool[Tensor, "clip label"]
    query: Bool[Tensor, "clip label"]
    known: Bool[Tensor, "clip label"] | None = None


def relations(tags: Tags, tagged: Tagged | None = None) -> tuple[Pairs, Pairs]:
    """Which pairs of clips share a tag (positive) and which share none (negative); symmetric, no clip with itself.

    A negative pair shares none for certain: the tags of either clip are known to be absent in the other.

    Args:
        tags: above 0 where a class is in a clip.
        tagged: tags that are known; clips that have no class in common whose tags are known are in no pair.
    """
    member = tags > 0 if tagged is None else (tags > 0) & tagged
    sets = member.float()
    share = sets @ sets.T > 0
    pair = ~torch.eye(len(tags), dtype=torch.bool, device=tags.device)
    if tagged is None:
        return share & pair, ~share & pair
    known = tagged.float()
    pair &= known @ known.T > 0
    doubtful = sets @ (1 - known).T > 0  # a tag of the row's clip is unknown in the column's
    return share & pair, ~share & pair & ~(doubtful | doubtful.T)


def triplets(
    positive: Pairs,
    negative: Pairs,
    miner: str = "all",
    distance: Float[Tensor, "clip clip"] | None = None,
    margin: float = 0.3,
    generator: torch.Generator | None = None,
) -> Triplets:
    """The triplets that a miner picks; sorted by anchor.

    | miner | picks |
    |---|---|
    | all | every triplet; their number grows with the cube of the batch: 12 million for 512 clips of 10 classes |
    | random | for each anchor that has both, one positive and one negative (Turpault et al. 2020) |
    | semi_hard | all whose negative is farther than the positive, by less than the margin (Schroff et al. 2015) |
    | hard | for each anchor its farthest positive and its nearest negative (Hermans et al. 2017) |

    Args:
        positive: see `relations`.
        negative: see there.
        miner: one of `MINERS`.
        distance: from anchor (row) to clip; read by `semi_hard` and `hard`.
        margin: of `semi_hard`, in the unit of `distance`.
        generator: of `random`; torch's own if None.

    Raises:
        WsedError: an unknown miner, or one that needs `distance` and gets none.
    """
    check_option("triplets", "miner", miner, MINERS)
    if miner in ("semi_hard", "hard") and distance is None:
        raise WsedError(f"miner {miner!r} needs the distances between clips")
    if miner == "random":
        return _random(positive, negative, generator)
    if miner == "hard":
        assert distance is not None
        return _hard(positive, negative, distance.detach())
    anchor, same = positive.nonzero(as_tuple=True)
    kept = negative[anchor]  # [pair clip]
    if miner == "semi_hard":
        assert distance is not None
        farther = distance.detach()[anchor] - distance.detach()[anchor, same][:, None]
        kept = kept & (farther > 0) & (farther < margin)
    count = kept.sum(1)
    return Triplets(anchor.repeat_interleave(count), same.repeat_interleave(count), kept.nonzero()[:, 1])


def _random(positive: Pairs, negative: Pairs, generator: torch.Generator | None) -> Triplets:
    # of each candidate: its place among those of its anchor
    same, other = (pairs.cumsum(1, dtype=torch.int32) for pairs in (positive, negative))
    anchor = ((same[:, -1] > 0) & (other[:, -1] > 0)).nonzero().flatten()
    return Triplets(anchor, _one_of(same[anchor], generator), _one_of(other[anchor], generator))


def _one_of(place: Int[Tensor, "anchor clip"], generator: torch.Generator | None) -> Int[Tensor, " anchor"]:
    """One of the candidates of each row, all of them equally likely; each row has one."""
    count = place[:, -1]
    drawn = (_lot(count, generator) * count).int().clamp(max=count - 1) + 1
    return torch.searchsorted(place, drawn[:, None])[:, 0]


def _hard(positive: Pairs, negative: Pairs, distance: Float[Tensor, "clip clip"]) -> Triplets:
    farthest, same = torch.where(positive, distance, -torch.inf).max(1)
    nearest, other = torch.where(negative, distance, torch.inf).min(1)
    # a distance that is no number stays, for the loss to say so
    anchor = ((farthest != -torch.inf) & (nearest != torch.inf)).nonzero().flatten()
    return Triplets(anchor, same[anchor], other[anchor])


def _lot(like: Shaped[Tensor, " clip"], generator: torch.Generator | None) -> Float[Tensor, " clip"]:
    """A number in [0, 1) for each."""
    device = like.device if generator is None else generator.device
    return torch.rand(like.shape, generator=generator, device=device).to(like.device)


def episode(
    tags: Tags,
    tagged: Tagged | None = None,
    shot: int = 1,
    query: int | None = 1,
    order: Shaped[Tensor, " clip"] | None = None,
    generator: torch.Generator | None = None,
) -> Episode:
    """Supports and queries of each class, drawn from a flat batch (Snell et al. 2017; Turpault et al. 2020, Eq. 3).

    In the order of the draw, the first `shot` clips of each class are supports, and of the rest the next `query` of
    each class are queries. A class with fewer than `shot` clips is left out. Clips with several tags count for all of
    their classes: a prototype may then have more supports than `shot`, and a clip drawn for two classes is one query.

    Args:
        tags: above 0 where a class is in a clip.
        tagged: tags that are known; a clip is not drawn for a class that is unknown in it.
        shot: supports of a class.
        query: queries of a class; None: all clips that are no supports.
        order: clips are drawn from the lowest value on; drawn at random if None.
        generator: of that draw; torch's own if None.
    """
    member = tags > 0 if tagged is None else (tags > 0) & tagged
    if order is None:
        order = _lot(tags[:, 0], generator)
    rows = order.argsort(stable=True)
    member = member[rows]
    chosen = (member & (member.cumsum(0) <= shot)).any(1, keepdim=True)
    support = member & chosen
    present = support.sum(0) >= shot
    rest = member & ~chosen & present
    if query is not None:
        rest = rest & (rest & (rest.cumsum(0) <= query)).any(1, keepdim=True)
    back = rows.argsort()
    return Episode((support & present)[back], rest[back], tagged)


def name_order(names: Sequence[str], epoch: int) -> Int[Tensor, " clip"]:
    """A random order of clips that depends on their names and the epoch: not on the batch, the rank or a seed."""
    return torch.tensor([zlib.crc32(f"{epoch} {name}".encode()) for name in names], dtype=torch.int64)


def all_clips(*values: Shaped[Tensor, "clip ..."]) -> tuple[Tensor, ...]:
    """`[clip ...]` of all ranks, so that clips of different ranks meet; every rank must call it.

    Each rank then computes the same loss of all clips. The gradient of its own clips is multiplied by the number of
    ranks, since DDP averages: N processes give the gradients of one.
    """
    if world_size() == 1:
        return values
    size = torch.tensor(len(values[0]), device=values[0].device)
    sizes = [torch.empty_like(size) for _ in range(world_size())]
    dist.all_gather(sizes, size)
    counts = [int(n) for n in sizes]
    return tuple(_AllClips.apply(value, counts) for value in values)


class _AllClips(torch.autograd.Function):
    @staticmethod
    def forward(value: Tensor, counts: list[int]) -> Tensor:
        mine = F.pad(value, (0, 0) * (value.ndim - 1) + (0, max(counts) - len(value))).contiguous()
        found = [torch.empty_like(mine) for _ in counts]
        dist.all_gather(found, mine)
        return torch.cat([part[:n] for part, n in zip(found, counts, strict=True)])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, list[int]], _output: Tensor) -> None:
        ctx.counts = inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        rank = dist.get_rank()
        start = sum(ctx.counts[:rank])
        return grad[start : start + ctx.counts[rank]] * len(ctx.counts), None
