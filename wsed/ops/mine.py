"""Mining of triplets and episodes from a batch by the tags of its clips.

A clip may have several tags. Two clips are a positive pair if they share a tag and a negative pair if they share none.
"""

import zlib
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.ops.reduce import world_size

OnePerAnchor = Literal["random", "hard"]
Miner = Literal["all", "random", "semi_hard", "hard"]

Tags = Float[Tensor, "clip label"]
Tagged = Bool[Tensor, "clip label"]
Pairs = Bool[Tensor, "clip clip"]


class Triplets(NamedTuple):
    """Triplets as indices of clips in a batch: each anchor with a positive and a negative.

    >>> Triplets(anchor=torch.tensor([0]), positive=torch.tensor([1]), negative=torch.tensor([2])).negative
    tensor([2])
    """

    anchor: Int[Tensor, " triplet"]
    positive: Int[Tensor, " triplet"]
    negative: Int[Tensor, " triplet"]


class Episode(NamedTuple):
    """A batch that is split into supports and queries per class; no clip is both.

    Attributes:
        support: `support[i, c]` is True if clip `i` is part of the prototype of class `c`. Classes without supports are
            not in the episode.
        query: `query[i, c]` is True if clip `i` is a query and has class `c`.
        known: `known[i, c]` is True if it is known whether clip `i` has class `c`. Only then is the clip compared with
            the prototype of the class. None: everything is known.

    >>> clips = torch.eye(2, dtype=torch.bool)
    >>> Episode(support=clips[:, :1], query=~clips[:, :1]).known is None
    True
    """

    support: Bool[Tensor, "clip label"]
    query: Bool[Tensor, "clip label"]
    known: Bool[Tensor, "clip label"] | None = None


def relations(tags: Tags, tagged: Tagged | None = None) -> tuple[Pairs, Pairs]:
    """Pairs of clips that share a tag (positive) and that share none (negative).

    Both matrices are symmetric and False on the diagonal. A negative pair must be certain: the tags of each clip are
    known to be absent in the other.

    Args:
        tags: above 0 where a class is in a clip.
        tagged: tags that are known; all if None. Two clips without a common class whose tag is known form no pair.

    >>> positive, negative = relations(torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]))
    >>> positive.nonzero().tolist()
    [[0, 1], [1, 0], [1, 2], [2, 1]]
    >>> negative.nonzero().tolist()
    [[0, 2], [2, 0]]
    """
    member = tags > 0 if tagged is None else (tags > 0) & tagged
    sets = member.float()
    share = sets @ sets.T > 0
    pair = ~torch.eye(len(tags), dtype=torch.bool, device=tags.device)
    if tagged is None:
        return share & pair, ~share & pair
    pair &= tagged.float() @ tagged.float().T > 0
    doubtful = sets @ (~tagged).float().T > 0  # a tag of the clip of the row is unknown in the clip of the column
    return share & pair, ~share & pair & ~(doubtful | doubtful.T)


@checked
def triplets(
    positive: Pairs,
    negative: Pairs,
    miner: Miner = "all",
    distance: Float[Tensor, "clip clip"] | None = None,
    margin: float = 0.3,
    generator: torch.Generator | None = None,
) -> Triplets:
    """Pick triplets from positive and negative pairs; returns them sorted by anchor.

    | miner | picks |
    |---|---|
    | all | every triplet; 12 million for 512 clips of 10 classes, and growing with the cube of the batch size |
    | random | one positive and one negative for each anchor that has both (Turpault et al. 2020) |
    | semi_hard | triplets whose negative is farther than the positive by less than the margin (Schroff et al. 2015) |
    | hard | the farthest positive and the nearest negative of each anchor (Hermans et al. 2017) |

    Args:
        positive: positive pairs, see `relations`.
        negative: negative pairs, see `relations`.
        miner: see the table.
        distance: distance from anchor (row) to clip (column), for `semi_hard` and `hard`.
        margin: margin of `semi_hard`, in the unit of `distance`.
        generator: random numbers for `random`; the default generator of torch if None.

    Raises:
        WsedError: the miner is unknown, or it needs `distance` and `distance` is None.

    >>> positive, negative = relations(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    >>> torch.stack(triplets(positive, negative, "all"), dim=1)
    tensor([[0, 1, 2],
            [1, 0, 2]])
    """
    if miner in ("semi_hard", "hard") and distance is None:
        raise WsedError(f"miner {miner!r} needs the distances between clips")
    if miner == "random" or miner == "hard":
        same, other, exists = one_per_anchor(positive, negative, miner, distance, generator)
        anchor = exists.nonzero().flatten()
        return Triplets(anchor, same[anchor], other[anchor])
    anchor, same = positive.nonzero(as_tuple=True)
    usable = negative[anchor]  # [pair clip]
    if miner == "semi_hard":
        assert distance is not None
        farther = distance.detach()[anchor] - distance.detach()[anchor, same][:, None]
        usable = usable & (farther > 0) & (farther < margin)
    count = usable.sum(1)
    return Triplets(anchor.repeat_interleave(count), same.repeat_interleave(count), usable.nonzero()[:, 1])


@checked
def one_per_anchor(
    positive: Pairs,
    negative: Pairs,
    miner: OnePerAnchor = "random",
    distance: Float[Tensor, "clip clip"] | None = None,
    generator: torch.Generator | None = None,
    keys: Int[Tensor, " clip"] | None = None,
) -> tuple[Int[Tensor, " clip"], Int[Tensor, " clip"], Bool[Tensor, " clip"]]:
    """Pick one positive and one negative per anchor; returns both, and whether the anchor has both.

    Args:
        positive: positive pairs, see `relations`.
        negative: negative pairs, see `relations`.
        miner: `random` or `hard`, see `triplets`.
        distance: distance from anchor (row) to clip (column), for `hard`.
        generator: random numbers for `random`; the default generator of torch if None.
        keys: a number for each clip, such as those of `name_order`, that replaces `generator` in `random`. The draw
            then depends on the clips, not on their places in the batch, so several processes draw as one does.

    Raises:
        WsedError: the miner is unknown, or it needs `distance` and `distance` is None.

    >>> positive, negative = relations(torch.eye(2)[[0, 0, 1]])
    >>> same, other, exists = one_per_anchor(positive, negative)
    >>> exists, same[exists], other[exists]
    (tensor([ True,  True, False]), tensor([1, 0]), tensor([2, 2]))
    """
    if miner == "random" and keys is not None:
        chance = _mixed(_mixed(keys.long())[:, None] + keys)
        same, other = (
            torch.where(p, c >> 1, -(2**62) - 1).argmax(1) for p, c in ((positive, chance), (negative, _mixed(chance)))
        )
        return same, other, positive.any(1) & negative.any(1)
    if miner == "random":
        # the rank of each candidate among the candidates of its anchor
        places = [pairs.cumsum(1, dtype=torch.int32) for pairs in (positive, negative)]
        exists = (places[0][:, -1] > 0) & (places[1][:, -1] > 0)
        same, other = (_one_of(place, generator) for place in places)
        return same, other, exists
    if distance is None:
        raise WsedError(f"miner {miner!r} needs the distances between clips")
    farthest, same = torch.where(positive, distance.detach(), -torch.inf).max(1)
    nearest, other = torch.where(negative, distance.detach(), torch.inf).min(1)
    # anchors with a NaN distance stay, so that the loss can report them
    return same, other, (farthest != -torch.inf) & (nearest != torch.inf)


def _mixed(x: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
    """Scramble whole numbers so that they look random: the last steps of splitmix64 (Steele, Lea & Flood 2014)."""
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * -0x40A7B892E31B1A47
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * -0x6B2FB644ECCEEE15
    return x ^ ((x >> 31) & 0x1FFFFFFFF)


def _one_of(place: Int[Tensor, "anchor clip"], generator: torch.Generator | None) -> Int[Tensor, " anchor"]:
    """One random candidate per row, all equally likely; 0 for a row without candidates."""
    count = place[:, -1]
    drawn = (_uniform(count, generator) * count).int().clamp(max=count - 1) + 1
    return torch.searchsorted(place, drawn.clamp(min=0)[:, None])[:, 0].clamp(max=place.shape[1] - 1)


def _uniform(like: Shaped[Tensor, " clip"], generator: torch.Generator | None) -> Float[Tensor, " clip"]:
    """A uniform random number in [0, 1) per clip."""
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
    """Draw supports and queries of each class from a batch (Snell et al. 2017; Turpault et al. 2020, Eq. 3).

    The first `shot` clips of each class, by `order`, are supports. Of the other clips, the first `query` of each class
    are queries. Classes with fewer than `shot` clips are left out. A clip with several tags counts for each of its
    classes: a prototype may then have more than `shot` supports, and a clip that is drawn for two classes is one query.

    Args:
        tags: above 0 where a class is in a clip.
        tagged: tags that are known; all if None. A clip is not drawn for a class that is unknown in it.
        shot: supports per class.
        query: queries per class; None: all clips that are not supports.
        order: clips are drawn in ascending order of these values; in random order if None.
        generator: random numbers for that order; the default generator of torch if None.

    >>> tags = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> drawn = episode(tags, order=torch.arange(4))
    >>> drawn.support.any(1), drawn.query.any(1)
    (tensor([ True, False,  True, False]), tensor([False,  True, False,  True]))
    """
    member = tags > 0 if tagged is None else (tags > 0) & tagged
    if order is None:
        order = _uniform(tags[:, 0], generator)
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
    """A random order of clips that depends only on their names and the epoch, not on batch, rank or seed.

    >>> name_order(["a.wav", "b.wav"], epoch=0).argsort()
    tensor([1, 0])
    """
    return torch.tensor([zlib.crc32(f"{epoch} {name}".encode()) for name in names], dtype=torch.int64)


def all_clips(*values: Shaped[Tensor, "clip ..."]) -> tuple[Tensor, ...]:
    """Gather `[clip ...]` from all ranks, so that clips of different ranks can form pairs; every rank must call it.

    Each rank then computes the same loss over all clips. DDP averages gradients over ranks, so the gradient of the
    rank's own clips is multiplied by the number of ranks. N processes then give the same gradients as one.

    >>> all_clips(torch.tensor([0.2, 0.8]))
    (tensor([0.2000, 0.8000]),)
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
        parts = [torch.empty_like(mine) for _ in counts]
        dist.all_gather(parts, mine)
        return torch.cat([part[:n] for part, n in zip(parts, counts, strict=True)])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, list[int]], _output: Tensor) -> None:
        ctx.counts = inputs[1]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        rank = dist.get_rank()
        start = sum(ctx.counts[:rank])
        return grad[start : start + ctx.counts[rank]] * len(ctx.counts), None
