"""Penalties on pairs of classes tagged on the same clip, whatever it is that makes two curves similar."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.literals import checked
from wsed.losses.base import Loss
from wsed.losses.shapes import check_shapes
from wsed.ops import host
from wsed.ops.reduce import count, masked_mean
from wsed.types import Batch, Needs, Output

Frames = Float[Tensor, "clip frame label"]
Tags = Float[Tensor, "clip label"]
Valid = Bool[Tensor, "clip frame"]
Tagged = Bool[Tensor, "clip label"]

Similarity = Callable[[Tensor, Tensor | None], Tensor]
"""From curves `[clip frame label]`, float32 or wider, and `valid` to a symmetric matrix `[clip label label]`."""
Reduction = Literal["mean", "sum_classes"]
CountPairs = Literal["ordered", "unordered"]


@checked
def pair_penalty(
    similarity: Similarity,
    frames: Frames,
    tags: Tags,
    valid: Valid | None = None,
    tagged: Tagged | None = None,
    *,
    reduction: Reduction = "mean",
    count_pairs: CountPairs = "ordered",
) -> Float[Tensor, ""]:
    """Mean over clips and labels of `y_c sum_{l != c} y_l similarity(c, l)` (Pellegrini & Cances 2019, Eq. 2).

    Only the curves of tagged classes count. On a CPU they are gathered first: of 407 classes a clip holds a few, so
    that next to the gradient of `frames` nothing of the size of `frames` is held.

    Args:
        similarity: of curves.
        frames: what the curves are made of, scores or (if `similarity` takes them) logits.
        tags: in [0, 1]; pairs weigh the product of their tags.
        valid: frames that hold signal.
        tagged: tags that are known; a class whose tag is not is in no pair.
        reduction: over labels: `mean`, as in the authors' code, or `sum_classes`, Eq. 2 summed over c. Over
            clips it is the mean.
        count_pairs: `ordered`: each pair counts for both of its classes, as in Eq. 2; `unordered`: once.

    Returns:
        0-d, float32 or wider; zero with a graph where no clip has two tags.
    """
    check_shapes("pair_penalty", frames, tags, valid, tagged)
    n_labels = tags.shape[1]
    curves, tags = _tagged_curves(frames, tags, tagged)
    with torch.autocast(frames.device.type, enabled=False):  # matrix products in bfloat16 keep three digits
        alike = similarity(curves, valid).triu(1)  # each pair once, no class with itself
        per_clip = (tags[:, None] @ alike @ tags[..., None]).flatten()
    factor: Tensor | float = {"ordered": 2, "unordered": 1}[count_pairs]
    clips = None if tagged is None else tagged.any(1)
    if reduction == "mean":
        factor = factor / (n_labels if tagged is None or clips is None else _labels_per_clip(tagged, clips))
    return factor * masked_mean(per_clip, clips)


def _labels_per_clip(tagged: Tagged, clips: Bool[Tensor, " clip"]) -> Float[Tensor, ""]:
    """The mean number of known tags of the clips that have any, over all ranks."""
    return count(tagged) / count(clips)


def _tagged_curves(
    frames: Frames, tags: Tags, tagged: Tagged | None
) -> tuple[Float[Tensor, "clip frame kept"], Float[Tensor, "clip kept"]]:
    """The curves of the classes tagged on each clip, and their tags.

    `kept` is the largest number of tags of a clip; clips with fewer get some other curves, whose tag is 0. Where that
    number cannot be looked up without waiting for a device, all curves are taken.
    """
    wide = torch.promote_types(frames.dtype, torch.float32)
    tags = tags.to(wide)
    if tagged is not None:
        tags = torch.where(tagged, tags, 0.0)
    if not host.on_cpu(tags):
        return frames.to(wide), tags
    kept = max((tags > 0).sum(1).tolist(), default=0)
    tags, index = tags.topk(kept, dim=1)
    return _Take.apply(frames, index).to(wide), tags


class _Take(torch.autograd.Function):
    """Curves `[clip frame kept]` of the classes `index [clip kept]`, none of them twice.

    The backward of `gather` adds, since an index might come twice, and for bfloat16 holds a float32 copy of the whole
    gradient while it does. Here every place is written at most once.
    """

    @staticmethod
    def forward(frames: Tensor, index: Tensor) -> Tensor:
        return frames.gather(2, index[:, None].expand(-1, frames.shape[1], -1))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], _output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])
        ctx.shape = inputs[0].shape

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        whole = grad.new_zeros(ctx.shape)
        clip = torch.arange(len(index), device=index.device)[:, None]
        whole.transpose(1, 2)[clip, index] = grad.transpose(1, 2)
        return whole, None


class PairPenalty(Loss):
    """A penalty on pairs of classes tagged on the same clip.

    Args:
        reduction: over labels: `mean`, or `sum_classes`, which is as many times larger as there are classes.
        count_pairs: `ordered`, each pair counts twice as in Pellegrini & Cances 2019, or `unordered`.
    """

    needs = Needs(output=frozenset({"frame_logits"}), known=frozenset({"tagged"}))
    similarity: ClassVar[Similarity]

    def __init__(self, reduction: Reduction = "mean", count_pairs: CountPairs = "ordered") -> None:
        super().__init__()
        self.reduction, self.count_pairs = reduction, count_pairs

    def forward(self, output: Output, batch: Batch) -> Tensor:
        return pair_penalty(
            self._of_logits,  # not of output.frame_scores: only the curves that count go through the sigmoid
            output.need("frame_logits"),
            batch.clip_labels,
            output.valid,
            batch.tagged,
            reduction=self.reduction,
            count_pairs=self.count_pairs,
        )

    def _of_logits(self, curves: Tensor, valid: Tensor | None) -> Tensor:
        return type(self).similarity(torch.sigmoid(curves), valid)
