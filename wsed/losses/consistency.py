"""Consistency of a student's scores with its teacher's, on clips with or without labels and on mixes of clips."""

from typing import Literal

import torch
from torch import Tensor

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.losses.base import LOSSES, Loss
from wsed.losses.bce import bce, frame_mask
from wsed.ops.reduce import masked_mean
from wsed.types import Batch, Needs, Output

Cost = Literal["mse", "bce"]


@checked
def consistency(scores: Tensor, teacher: Tensor, mask: Tensor | None = None, *, cost: Cost = "mse") -> Tensor:
    """Mean difference of a student's scores from its teacher's.

    Args:
        scores: the student's probabilities, `[clip label]` or `[clip frame label]`.
        teacher: the teacher's probabilities, of the same shape; no gradient flows into them.
        mask: elements that count, broadcastable to the scores; all if None.
        cost: `mse`: the squared difference (Tarvainen & Valpola 2017); `bce`: the binary cross-entropy.

    Returns:
        0-d; a zero attached to the graph if nothing counts.

    Raises:
        WsedError: shapes differ, or the cost is unknown.

    >>> consistency(torch.tensor([[0.5, 0.9]]), torch.tensor([[0.5, 0.7]]))
    tensor(0.0200)
    """
    if scores.shape != teacher.shape:
        raise WsedError(
            f"consistency: student and teacher must have scores of one shape, not {tuple(scores.shape)} and "
            f"{tuple(teacher.shape)}"
        )
    target = teacher.detach()
    return masked_mean((scores - target).square() if cost == "mse" else bce(target, scores), mask)


@LOSSES.register("consistency")
class Consistency(Loss):
    """Difference of the student's scores from the teacher's, over all clips, with or without labels.

    It needs a network with a teacher, such as `mean_teacher`, and helps most with clips without labels. Give it a
    weight that ramps up, since the first scores of a teacher mean nothing: `weight: {class_path:
    wsed.losses.schedule.Ramp, init_args: {to: 2.0, steps: 10000, shape: exponential}}`. In validation there is no
    teacher, and the loss is 0.

    Args:
        scores: `frame`, `clip`, or `both`: the sum of both.
        cost: `mse` or `bce`, see `consistency`.

    Source: Tarvainen & Valpola 2017, "Mean teachers are better role models"; for sound events Lu 2018 (winner of DCASE
    2018 task 4) and the DCASE baselines since 2019, with `mse` on frames and clips.

    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> Consistency()(output(inputs), inputs).shape
    torch.Size([])
    """

    def __init__(self, scores: Literal["frame", "clip", "both"] = "both", cost: Cost = "mse") -> None:
        super().__init__()
        self.cost = cost
        of = {"frame": ("frame_logits",), "clip": ("clip_logits",), "both": ("frame_logits", "clip_logits")}
        self.reads: tuple[str, ...] = of[scores]
        self.needs = Needs(output=frozenset({*self.reads, "teacher"}), known=frozenset({"unlabelled"}))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        if output.teacher is None:  # in validation
            return torch.stack([masked_mean(output.need(name) * 0) for name in self.reads]).sum()
        return self._between(output, output.teacher)

    def _between(self, student: Output, teacher: Output, counts: bool = True) -> Tensor:
        values = []
        for name in self.reads:
            own, other = (torch.sigmoid(of.need(name).float()) for of in (student, teacher))
            mask = frame_mask(student.valid, None) if name == "frame_logits" else None
            mask = mask if counts else torch.zeros((), dtype=torch.bool, device=own.device)
            values.append(consistency(own, other, mask, cost=self.cost))
        return torch.stack(values).sum()


@LOSSES.register("interpolation_consistency")
class InterpolationConsistency(Consistency):
    """Difference of the student's scores of mixed clips from the teacher's scores, mixed in the same way.

    If the scores of a mix lie between those of its two clips, decision borders stay away from clips. Only clips
    without tags are mixed, by the network `mean_teacher` if its `interpolate` is set. Like `consistency`, the loss
    needs a weight that ramps up and is 0 in validation.

    Args:
        scores: `frame`, `clip`, or `both`: the sum of both.
        cost: `mse` or `bce`, see `consistency`.

    Source: Verma et al. 2019, "Interpolation consistency training for semi-supervised learning", with `mse`; for sound
    events Zheng et al. 2021 (DCASE 2021 task 4).

    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> InterpolationConsistency()(output(inputs), inputs).shape
    torch.Size([])
    """

    def __init__(self, scores: Literal["frame", "clip", "both"] = "both", cost: Cost = "mse") -> None:
        super().__init__(scores, cost)
        self.needs = Needs(output=frozenset({*self.reads, "mixed"}), known=frozenset({"unlabelled"}))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        mixed = output.mixed
        if mixed is None or mixed.teacher is None:  # in validation, or no clip is without tags
            return self._between(output, output, counts=False)  # every rank takes part in the means
        return self._between(mixed, mixed.teacher)
