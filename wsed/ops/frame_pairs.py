"""Pairs of frames of the same time index from two clips: how their labels relate, and sums of costs over all of them.

A batch of 32 clips has 496 pairs of clips; with 628 frames of 128 dims their differences take 160 MB, and several
times that in training. All that is asked of a pair follows from three inner products: those of the clips at one time
index are a matrix `[clip clip]`, and the gradient is a product with such a matrix again. Both are made of some frames
at a time, and costs of the pairs that are used only.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float, Int8
from torch import Tensor
from torch.nn import functional as F

from wsed.ops.reduce import world_size

Categories = Int8[Tensor, "frame clip clip"]
"""1: a positive pair, -1: a negative one, 0: not used. Each pair of clips stands once, above the diagonal."""

Cost = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From the inner products `a.b`, `a.a` and `b.b` of pairs of frames, each `[pair]`, to what each pair costs."""

CHUNK = 2**18
"""Elements of the float64 matrices of one step, 2 MB: larger ones are no faster."""


def frame_categories(
    labels: Float[Tensor, "clip frame label"],
    valid: Bool[Tensor, "clip frame"],
    tags: Float[Tensor, "clip label"] | None = None,
    chosen: Bool[Tensor, "clip clip"] | None = None,
    known: Bool[Tensor, "clip label"] | None = None,
    *,
    silence: str = "ignore",
) -> Categories:
    """Which pairs of frames are of the same events (positive) and which of other ones (negative).

    Positive: the label sets are equal. Negative: they are disjoint for certain: no class that is in one is unknown in
    the other clip. Sets that overlap in part are not used.

    Args:
        labels: above 0 where a class is active.
        valid: frames that count.
        tags: if given, the clips' label sets must be equal (disjoint) too.
        chosen: pairs of clips that count, symmetric; all if None.
        known: classes of a clip whose labels and tags are known; all if None. Clips without a known class in common
            are not paired.
        silence: frames without any label. `ignore`: left out; `negative`: each is a negative of every frame that has
            labels; `background`: so too, and two of them are a positive pair.
    """
    active = labels > 0 if known is None else (labels > 0) & known[:, None]
    active = active.transpose(0, 1).contiguous().float()
    used = valid.T & active.any(2) if silence == "ignore" else valid.T
    equal_tags = disjoint_tags = torch.ones((), dtype=torch.bool, device=labels.device)
    if tags is not None:
        equal_tags, disjoint_tags, _ = _compare((tags > 0 if known is None else (tags > 0) & known).float(), known)
    if chosen is None:
        chosen = equal_tags.new_ones(len(labels), len(labels))
    if known is not None:
        chosen = chosen & (known.float() @ known.float().T > 0)
    parts = []
    for part in _steps(*active.shape):
        equal, disjoint, shared = _compare(active[part], known)
        if silence == "negative":
            disjoint, equal = disjoint & ~equal, equal & shared
        pair = (used[part, :, None] & used[part, None]) & chosen.triu(1)
        positive, negative = pair & equal & equal_tags, pair & disjoint & ~equal & disjoint_tags
        parts.append(positive.to(torch.int8) - negative.to(torch.int8))
    return torch.cat(parts) if parts else active.new_zeros(0, len(labels), len(labels), dtype=torch.int8)


def _compare(sets: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Whether sets `[... clip label]` of 0 and 1 are equal, disjoint, and share something, each `[... clip clip]`.

    Sets hold `known [clip label]` classes only; disjoint ones hold no class that is unknown in the other clip.
    """
    shared = sets @ sets.mT  # counts: exact in float32
    size = sets.sum(-1)
    equal = (shared == size[..., :, None]) & (shared == size[..., None, :])
    disjoint = shared == 0
    if known is not None:
        certain = sets @ (~known).float().T == 0
        disjoint &= certain & certain.mT
    return equal, disjoint, shared > 0


def pair_sum(
    embeddings: Float[Tensor, "clip frame dim"],
    valid: Bool[Tensor, "clip frame"],
    categories: Categories,
    weights: Float[Tensor, "2"],
    positive: Cost,
    negative: Cost,
) -> Float[Tensor, ""]:
    """Weighted sum of the costs of all positive and negative pairs, float64; differentiable once, by the embeddings.

    The inner products are taken in float64: of near frames far from the origin, only they tell the distance.

    Args:
        embeddings: any float type.
        valid: other frames are read as zero, whatever they hold. A frame in a pair must be valid.
        categories: see `frame_categories`.
        weights: of the positive and of the negative pairs, float64.
        positive: what a positive pair costs, made of differentiable operations.
        negative: the same of a negative pair.
    """
    total: Tensor = _PairSum.apply(embeddings, valid, categories, weights, (positive, negative))
    return total


class _PairSum(torch.autograd.Function):
    """Kept for the backward, beside the embeddings: the slopes by each inner product, `[frame clip clip]`."""

    @staticmethod
    def forward(
        ctx: Any, embeddings: Tensor, valid: Tensor, categories: Tensor, weights: Tensor, costs: tuple[Cost, Cost]
    ) -> Tensor:
        total, slopes, needed = weights.new_zeros(()), [], ctx.needs_input_grad[0]
        for part, frames in _chunks(embeddings, valid):
            gram = frames @ frames.mT
            slope = torch.zeros_like(gram)
            for kind, cost in enumerate(costs):
                places = _places(categories[part], kind)
                products = [gram.view(-1)[place].requires_grad_(needed) for place in places]
                with torch.enable_grad():
                    some = weights[kind] * cost(*products).sum()
                total += some.detach()
                if needed:
                    for place, each in zip(places, torch.autograd.grad(some, products), strict=True):
                        slope.view(-1).index_add_(0, place, each)
            if needed:
                slopes.append(slope + slope.mT)  # a.b is b.a too, and the slope of a.a is 2 a
        ctx.save_for_backward(embeddings, valid, *slopes)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        embeddings, valid, *slopes = ctx.saved_tensors
        whole = torch.empty_like(embeddings)
        for (part, frames), slope in zip(_chunks(embeddings, valid), slopes, strict=True):
            whole[:, part] = (grad * slope @ frames).transpose(0, 1)
        return whole, None, None, None, None


def _places(categories: Tensor, kind: int) -> tuple[Tensor, Tensor, Tensor]:
    """Where, in the flat matrices of inner products, those of positive (0) or negative (1) pairs are: ab, aa, bb."""
    clips = categories.shape[2]
    frame, a, b = (categories == 1 - 2 * kind).nonzero(as_tuple=True)
    row_a, row_b = frame * clips + a, frame * clips + b
    return row_a * clips + b, row_a * clips + a, row_b * clips + b


def _chunks(embeddings: Tensor, valid: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Some frames at a time, `[frame clip dim]` in float64, zero where they are not valid."""
    clips, n_frames, dim = embeddings.shape
    for part in _steps(n_frames, clips, dim):
        frames = embeddings.new_empty(part.stop - part.start, clips, dim, dtype=torch.float64)
        frames.copy_(embeddings[:, part].transpose(0, 1))
        yield part, frames.masked_fill_(~valid[:, part].T[..., None], 0.0)


def _steps(n_frames: int, clips: int, dim: int) -> Iterator[slice]:
    step = max(1, CHUNK // max(1, clips * max(clips, dim)))
    return (slice(start, min(start + step, n_frames)) for start in range(0, n_frames, step))


def share_frames(*values: Tensor) -> list[Tensor]:
    """From this rank's clips and all their frames to the clips of all ranks and this rank's part of the frames.

    Pairs over all ranks are then spread evenly over the ranks, and gradients find their way back. Every rank must
    call it with as many tensors.

    Args:
        values: `[clip frame ...]`; the numbers of clips and frames are the same for all, and may differ by rank.

    Returns:
        `[clip of all ranks, frame]` in the same order of clips; filled up with zeros (False), as `valid` then tells.
    """
    ranks = world_size()
    clips, frames = _largest(values[0], 2)
    frames = -(-frames // ranks) * ranks
    shared = []
    for value in values:
        missing = (0, 0) * (value.ndim - 2) + (0, frames - value.shape[1], 0, clips - value.shape[0])
        blocks = F.pad(value, missing).reshape(clips, -1, ranks, *value.shape[2:]).movedim(2, 0)
        shared.append(_Exchange.apply(blocks.contiguous()).flatten(0, 1))
    return shared


def gather_clips(value: Tensor) -> Tensor:
    """`[clip ...]` of all ranks, in the order and with the filling up of `share_frames`; without gradient."""
    (clips,) = _largest(value, 1)
    mine = F.pad(value, (0, 0) * (value.ndim - 1) + (0, clips - len(value))).contiguous()
    found = [torch.empty_like(mine) for _ in range(world_size())]
    dist.all_gather(found, mine)
    return torch.cat(found)


def _largest(value: Tensor, axes: int) -> list[int]:
    sizes = torch.tensor(value.shape[:axes], device=value.device)
    dist.all_reduce(sizes, dist.ReduceOp.MAX)
    found: list[int] = sizes.tolist()
    return found


class _Exchange(torch.autograd.Function):
    """Block `r` of `[rank ...]` goes to rank `r`, and its own block comes back; gradients go the same way."""

    @staticmethod
    def forward(blocks: Tensor) -> Tensor:
        received = torch.empty_like(blocks)
        dist.all_to_all_single(received, blocks)
        return received

    @staticmethod
    def setup_context(_ctx: Any, _inputs: tuple[Tensor], _output: Tensor) -> None:
        """Nothing is kept."""

    @staticmethod
    def backward(_ctx: Any, grad: Tensor) -> Tensor:
        return _Exchange.forward(grad.contiguous())
