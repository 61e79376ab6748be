"""Pairs of frames of two clips at the same time index: compare their labels and sum costs over all pairs.

A batch of 32 clips has 496 pairs of clips. With 628 frames of 128 dims, the differences of their embeddings take 160
MB, and several times that in training. The cost of a pair only needs three inner products. The inner products of all
clips at one time index form a matrix `[clip clip]`, and the gradient is a product with another such matrix. Both are
computed for a few frames at a time, and costs are computed only for the pairs that are used.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float, Int8
from torch import Tensor
from torch.nn import functional as F

from wsed.literals import checked
from wsed.ops import host
from wsed.ops.reduce import world_size

Categories = Int8[Tensor, "frame clip clip"]
"""1 for a positive pair, -1 for a negative pair, 0 for an unused one. Only entries above the diagonal are used."""

Cost = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Maps the inner products `a.b`, `a.a` and `b.b` of pairs of frames, each `[pair]`, to the cost of each pair."""

Silence = Literal["ignore", "negative", "background"]
"""What to do with frames without labels."""

CHUNK, ON_DEVICE = 2**18, 2**24
"""Elements of the float64 matrices of one step, on a CPU (2 MB; larger ones are no faster) and on an accelerator.

On an accelerator (128 MB), the number of operations of a step does not depend on its size, so fewer and larger steps
are faster. With 2 MB, 256 clips of 10 s would need about a hundred."""


@checked
def frame_categories(
    labels: Float[Tensor, "clip frame label"],
    valid: Bool[Tensor, "clip frame"],
    tags: Float[Tensor, "clip label"] | None = None,
    chosen: Bool[Tensor, "clip clip"] | None = None,
    known: Bool[Tensor, "clip label"] | None = None,
    *,
    silence: Silence = "ignore",
) -> Categories:
    """Sort pairs of frames into positive (equal sets of labels) and negative (disjoint sets of labels).

    A negative pair must be certain: no class of either frame is unknown in the other clip. Pairs whose sets overlap in
    part are not used.

    Args:
        labels: above 0 where a class is active.
        valid: frames that are used.
        tags: if not None, the tags of the two clips must be equal (or disjoint) too.
        chosen: pairs of clips that are used, symmetric; all if None.
        known: classes whose labels and tags are known, per clip; all if None. Two clips without a common known class
            form no pairs.
        silence: what to do with frames without labels. `ignore`: leave them out. `negative`: pair them as negatives
            with all frames that have labels. `background`: likewise, and pair them with one another as positives.

    >>> dog, cat = [1.0, 0.0], [0.0, 1.0]
    >>> labels = torch.tensor([[dog], [dog], [cat]])
    >>> frame_categories(labels, torch.ones(3, 1, dtype=torch.bool))
    tensor([[[ 0,  1, -1],
             [ 0,  0, -1],
             [ 0,  0,  0]]], dtype=torch.int8)
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
    for part in _steps(active):
        equal, disjoint, shared = _compare(active[part], known)
        if silence == "negative":
            disjoint, equal = disjoint & ~equal, equal & shared
        pair = (used[part, :, None] & used[part, None]) & chosen.triu(1)
        positive, negative = pair & equal & equal_tags, pair & disjoint & ~equal & disjoint_tags
        parts.append(positive.to(torch.int8) - negative.to(torch.int8))
    return torch.cat(parts) if parts else active.new_zeros(0, len(labels), len(labels), dtype=torch.int8)


def _compare(sets: Tensor, known: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Whether label sets `[... clip label]` (0 or 1) are equal, disjoint, and overlap, each `[... clip clip]`.

    Sets contain only classes in `known [clip label]`. Disjoint sets contain no class that is unknown in the other clip.
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
    of_differences: bool = False,
) -> Float[Tensor, ""]:
    """Weighted sum of the costs of all positive and negative pairs, in float64.

    Differentiable once, with respect to the embeddings.

    Args:
        embeddings: any float type.
        valid: frames that may be in a pair; all others are set to zero.
        categories: see `frame_categories`.
        weights: weight of the positive and of the negative pairs, float64.
        positive: cost of a positive pair, from differentiable operations.
        negative: cost of a negative pair, from differentiable operations.
        of_differences: both costs depend on `a - b` alone. Then the mean of the frames at each time index is subtracted
            first, so that rounding is relative to the spread of the frames, not to their distance from the origin.

    >>> embeddings = torch.tensor([[[0.0, 0.0]], [[3.0, 4.0]]])
    >>> positive_pair = torch.tensor([[[0, 1], [0, 0]]], dtype=torch.int8)
    >>> squared_distance = lambda ab, aa, bb: aa + bb - 2 * ab
    >>> weights = torch.ones(2, dtype=torch.float64)
    >>> valid = torch.ones(2, 1, dtype=torch.bool)
    >>> pair_sum(embeddings, valid, positive_pair, weights, squared_distance, squared_distance)
    tensor(25., dtype=torch.float64)
    """
    total: Tensor = _PairSum.apply(embeddings, valid, categories, weights, (positive, negative), of_differences)
    return total


class _PairSum(torch.autograd.Function):
    """Saves the embeddings and the derivatives by each inner product, `[frame clip clip]`, for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        embeddings: Tensor,
        valid: Tensor,
        categories: Tensor,
        weights: Tensor,
        costs: tuple[Cost, Cost],
        of_differences: bool,
    ) -> Tensor:
        total, slopes, needed = weights.new_zeros(()), [], ctx.needs_input_grad[0]
        of_kind = _of_used_pairs if host.on_cpu(categories) else _of_all_pairs
        for part, frames in _chunks(embeddings, valid, of_differences):
            gram = frames @ frames.mT
            slope = torch.zeros_like(gram)
            for kind, cost in enumerate(costs):
                total += of_kind(gram, slope, categories[part] == 1 - 2 * kind, weights[kind], cost, needed)
            if needed:
                slopes.append(slope + slope.mT)  # since a.b = b.a, and the derivative of a.a is 2 a
        ctx.save_for_backward(embeddings, valid, *slopes)
        ctx.of_differences = of_differences
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None, None]:
        embeddings, valid, *slopes = ctx.saved_tensors
        whole = torch.empty_like(embeddings)
        for (part, frames), slope in zip(_chunks(embeddings, valid, ctx.of_differences), slopes, strict=True):
            whole[:, part] = (grad * slope @ frames).transpose(0, 1)
        return whole, None, None, None, None, None


def _of_used_pairs(gram: Tensor, slope: Tensor, used: Tensor, weight: Tensor, cost: Cost, needed: bool) -> Tensor:
    """Weighted sum of the costs of the `used [frame clip clip]` pairs; adds its derivatives to `slope`."""
    clips = gram.shape[2]
    frame, a, b = used.nonzero(as_tuple=True)
    row_a, row_b = frame * clips + a, frame * clips + b
    places = row_a * clips + b, row_a * clips + a, row_b * clips + b  # of a.b, a.a and b.b in the flat matrices
    products = [gram.view(-1)[place].requires_grad_(needed) for place in places]
    with torch.enable_grad():
        total = weight * cost(*products).sum()
    if needed:
        for place, each in zip(places, torch.autograd.grad(total, products), strict=True):
            slope.view(-1).index_add_(0, place, each)
    return total.detach()


def _of_all_pairs(gram: Tensor, slope: Tensor, used: Tensor, weight: Tensor, cost: Cost, needed: bool) -> Tensor:
    """The same as `_of_used_pairs`, from the costs of all pairs, so that the CPU need not wait for an accelerator."""
    clips = gram.shape[2]
    a, b = torch.triu_indices(clips, clips, 1, device=gram.device)
    energy = gram.diagonal(dim1=1, dim2=2)
    products = [each.contiguous().requires_grad_(needed) for each in (gram[:, a, b], energy[:, a], energy[:, b])]
    with torch.enable_grad():
        total = weight * torch.where(used[:, a, b], cost(*products), 0.0).sum()
    if needed:
        ab, aa, bb = torch.autograd.grad(total, products)
        slope[:, a, b] += ab
        slope.diagonal(dim1=1, dim2=2).index_add_(1, a, aa).index_add_(1, b, bb)
    return total.detach()


def _chunks(embeddings: Tensor, valid: Tensor, centred: bool) -> Iterator[tuple[slice, Tensor]]:
    """A few frames at a time, `[frame clip dim]` in float64, zero where they are not valid.

    If `centred`, the mean of the valid frames at each time index is subtracted.
    """
    clips, _, dim = embeddings.shape
    for part in _steps(embeddings.transpose(0, 1)):
        frames = embeddings.new_empty(part.stop - part.start, clips, dim, dtype=torch.float64)
        frames.copy_(embeddings[:, part].transpose(0, 1))
        outside = ~valid[:, part].T[..., None]
        frames.masked_fill_(outside, 0.0)
        if centred:
            count = (~outside).sum(1, keepdim=True).clamp(min=1)
            frames.sub_(frames.sum(1, keepdim=True) / count).masked_fill_(outside, 0.0)
        yield part, frames


def _steps(frames: Tensor) -> Iterator[slice]:
    """Slices of the frames of `[frame clip dim]`, each of about `CHUNK` or `ON_DEVICE` elements."""
    n_frames, clips, dim = frames.shape
    elements = CHUNK if host.on_cpu(frames) else ON_DEVICE
    step = max(1, elements // max(1, clips * max(clips, dim)))
    return (slice(start, min(start + step, n_frames)) for start in range(0, n_frames, step))


def share_frames(*values: Tensor) -> list[Tensor]:
    """Exchange all frames of this rank's clips for a share of the frames of the clips of all ranks.

    This spreads the pairs over all ranks evenly. Gradients flow back to the rank that owns the clip. Every rank must
    call it with the same number of tensors, within a `torch.distributed` process group.

    Args:
        *values: `[clip frame ...]`, all with the same clips and frames; their numbers may differ between ranks.

    Returns:
        The same tensors as `[clip of all ranks, frame ...]`, with clips in the order of the ranks. Padding is zero or
        False; if `valid` is among the values, it is False there.
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
    """`[clip ...]` of all ranks, in the order and with the padding of `share_frames`, without gradient."""
    (clips,) = _largest(value, 1)
    mine = F.pad(value, (0, 0) * (value.ndim - 1) + (0, clips - len(value))).contiguous()
    parts = [torch.empty_like(mine) for _ in range(world_size())]
    dist.all_gather(parts, mine)
    return torch.cat(parts)


def _largest(value: Tensor, axes: int) -> list[int]:
    """The largest sizes of the first `axes` axes over all ranks."""
    sizes = torch.tensor(value.shape[:axes], device=value.device)
    dist.all_reduce(sizes, dist.ReduceOp.MAX)
    largest: list[int] = sizes.tolist()
    return largest


class _Exchange(torch.autograd.Function):
    """Send block `r` of `[rank ...]` to rank `r` and receive one block from each; gradients take the same way back."""

    @staticmethod
    def forward(blocks: Tensor) -> Tensor:
        received = torch.empty_like(blocks)
        dist.all_to_all_single(received, blocks)
        return received

    @staticmethod
    def setup_context(_ctx: Any, _inputs: tuple[Tensor], _output: Tensor) -> None:
        """The backward pass needs no saved values."""

    @staticmethod
    def backward(_ctx: Any, grad: Tensor) -> Tensor:
        return _Exchange.forward(grad.contiguous())
