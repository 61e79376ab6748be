"""Penalties on pairs of classes tagged on the same clip, for any similarity of their curves.

A curve is the scores of one class over the frames of a clip.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import WsedError, near
from wsed.literals import checked
from wsed.losses.base import Loss
from wsed.losses.shapes import check_shapes
from wsed.ops import host
from wsed.ops.reduce import count, masked_mean
from wsed.types import Batch, Labels, Needs, Output

Frames = Float[Tensor, "clip frame label"]
Tags = Float[Tensor, "clip label"]
Valid = Bool[Tensor, "clip frame"]
Tagged = Bool[Tensor, "clip label"]
Counted = Bool[Tensor, "label label"]

Similarity = Callable[[Tensor, Tensor | None], Tensor]
"""Maps curves `[clip frame label]`, at least float32, and `valid` to a symmetric matrix `[clip label label]`."""
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
    counted: Counted | None = None,
) -> Float[Tensor, ""]:
    """Mean over clips and labels of `y_c sum_{l != c} y_l similarity(c, l)` (Pellegrini & Cances 2019, Eq. 2).

    Only the curves of tagged classes count. On a CPU they are gathered first, since a clip has few of, say, 407
    classes: apart from the gradient, no further tensor has the size of `frames`.

    Args:
        similarity: similarity of each pair of curves.
        frames: the curves: scores, or logits if `similarity` takes logits.
        tags: in [0, 1]; the weight of a pair is the product of its tags.
        valid: frames that hold signal; all if None.
        tagged: tags that are known, all if None; unknown classes form no pairs.
        reduction: `mean` over labels, as in the authors' code, or `sum_classes`: the sum over labels, as in Eq. 2. The
            result is the mean over clips.
        count_pairs: `ordered`: each pair counts for both of its classes, as in Eq. 2; `unordered`: once.
        counted: pairs of classes that count, symmetric; all if None.

    Returns:
        0-d, at least float32; a zero attached to the graph if no clip has two tags.

    >>> dot = lambda curves, valid: curves.mT @ curves
    >>> pair_penalty(dot, torch.tensor([[[0.5, 1.0]]]), torch.tensor([[1.0, 1.0]]), reduction="sum_classes")
    tensor(1.)
    """
    check_shapes("pair_penalty", frames, tags, valid, tagged)
    n_labels = tags.shape[1]
    curves, tags, index = _tagged_curves(frames, tags, tagged)
    with torch.autocast(frames.device.type, enabled=False):  # matrix products in bfloat16 keep three digits
        alike = similarity(curves, valid).triu(1)  # each pair once, no class with itself
        if counted is not None:
            alike = alike * (counted if index is None else counted[index[:, :, None], index[:, None]])
        per_clip = (tags[:, None] @ alike @ tags[..., None]).flatten()
    factor: Tensor | float = {"ordered": 2, "unordered": 1}[count_pairs]
    clips = None if tagged is None else tagged.any(1)
    if reduction == "mean":
        factor = factor / (n_labels if tagged is None or clips is None else _labels_per_clip(tagged, clips))
    return factor * masked_mean(per_clip, clips)


def _labels_per_clip(tagged: Tagged, clips: Bool[Tensor, " clip"]) -> Float[Tensor, ""]:
    """The mean number of known tags per clip, over the clips of all ranks that have a known tag."""
    return count(tagged) / count(clips)


def _tagged_curves(
    frames: Frames, tags: Tags, tagged: Tagged | None
) -> tuple[Float[Tensor, "clip frame kept"], Float[Tensor, "clip kept"], Int[Tensor, "clip kept"] | None]:
    """The curves of the classes tagged on each clip, their tags, and which classes they are (None: all of them).

    `kept` is the largest number of tags of a clip; clips with fewer tags get other curves too, with the tag 0. All
    curves are kept if reading that number would make the CPU wait for an accelerator.
    """
    wide = torch.promote_types(frames.dtype, torch.float32)
    tags = tags.to(wide)
    if tagged is not None:
        tags = torch.where(tagged, tags, 0.0)
    if not host.on_cpu(tags):
        return frames.to(wide), tags, None
    kept = max((tags > 0).sum(1).tolist(), default=0)
    tags, index = tags.topk(kept, dim=1)
    return _Take.apply(frames, index).to(wide), tags, index


class _Take(torch.autograd.Function):
    """The curves `[clip frame kept]` of the classes `index [clip kept]`, which are distinct within a clip.

    The backward pass of `gather` adds up gradients, since an index may occur twice. For bfloat16 it makes a float32
    copy of the whole gradient. Here each index occurs once, so gradients are written without adding.
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
        reduction: `mean` over labels, or `sum_classes`: the sum over labels.
        count_pairs: `ordered`: each pair counts twice, as in Pellegrini & Cances 2019; `unordered`: once.
        exempt: pairs of classes that truly overlap, which are not penalised: `[[Speech, Frying], ...]`.

    Raises:
        WsedError: an option is unknown, or an entry of `exempt` is not a pair of two different classes.
    """

    needs = Needs(output=frozenset({"frame_logits"}), known=frozenset({"tagged"}))
    similarity: ClassVar[Similarity]

    def __init__(
        self,
        reduction: Reduction = "mean",
        count_pairs: CountPairs = "ordered",
        exempt: Sequence[Sequence[str]] = (),
    ) -> None:
        super().__init__()
        for pair in exempt:
            if isinstance(pair, str) or len(pair) != 2 or pair[0] == pair[1]:
                raise WsedError(
                    f"exempt: {pair!r} is not a pair of two different classes; write [[Speech, Frying], ...]"
                )
        self.reduction, self.count_pairs = reduction, count_pairs
        self.exempt = tuple((pair[0], pair[1]) for pair in exempt)
        self.register_buffer("counted", None, persistent=False)

    def name_classes(self, labels: Labels) -> None:
        """Find the classes of `exempt`.

        Raises:
            WsedError: a class of `exempt` is not among the classes.
        """
        if not self.exempt:
            return
        counted = torch.ones(len(labels), len(labels), dtype=torch.bool)
        for pair in self.exempt:
            for name in pair:
                if name not in labels.names:
                    known = ", ".join(labels)
                    raise WsedError(f"exempt: unknown class {name!r}{near(name, labels.names)}; known: {known}")
            first, second = map(labels.index, pair)
            counted[first, second] = counted[second, first] = False
        self.counted = counted

    def forward(self, output: Output, batch: Batch) -> Tensor:
        counted = self.counted
        if self.exempt and not isinstance(counted, Tensor):
            raise WsedError("exempt names classes: call name_classes(labels) first, as SEDTask does")
        return pair_penalty(
            self._of_logits,  # logits, so that the sigmoid is computed only for the curves that count
            output.need("frame_logits"),
            batch.clip_labels,
            output.valid,
            batch.tagged,
            reduction=self.reduction,
            count_pairs=self.count_pairs,
            counted=counted if isinstance(counted, Tensor) else None,
        )

    def _of_logits(self, curves: Tensor, valid: Tensor | None) -> Tensor:
        return type(self).similarity(torch.sigmoid(curves), valid)
