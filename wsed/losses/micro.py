"""Attentional supervision: every frame gets the tags of its clip, weighted by the attention of the network."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.losses.base import LOSSES
from wsed.losses.bce import bce, frame_mask
from wsed.losses.class_weights import ClassWeighted, Weights
from wsed.losses.shapes import check_probabilities, check_shapes
from wsed.ops.precision import at_least_float32
from wsed.ops.reduce import masked_mean
from wsed.types import Batch, Needs, Output


def micro(
    frame_scores: Float[Tensor, "clip frame label"],
    attention: Float[Tensor, "clip frame label"],
    tags: Float[Tensor, "clip label"],
    valid: Bool[Tensor, "clip frame"] | None = None,
    tagged: Bool[Tensor, "clip label"] | None = None,
    *,
    weights: Weights | None = None,
) -> Float[Tensor, ""]:
    """Mean cross-entropy of frame scores and tags, where the attention weights the terms of `y`.

    This is the loss of the released code of Chou, Jang & Yang 2018. Their Eq. 3 and 7 also weight the terms of
    `1 - y`, and are sums: `experiments.mmnet.readings.micro`.

    Args:
        frame_scores: `d`, probabilities.
        attention: `a`; it may differ between labels.
        tags: `y`, in [0, 1].
        valid: frames that hold signal; all if None.
        tagged: tags that are known; all if None.
        weights: factors of the terms of `y` and `1 - y`, each `[label]`; 1 if None.

    Returns:
        0-d; a zero attached to the graph if no tag is known.

    Raises:
        WsedError: shapes do not fit.

    >>> frame_scores, attention = torch.tensor([[[0.9], [0.5]]]), torch.tensor([[[1.0], [0.0]]])
    >>> micro(frame_scores, attention, torch.tensor([[1.0]]))
    tensor(0.0527)
    """
    check_shapes("micro", frame_scores, tags, valid, tagged)
    check_probabilities("micro", frame_scores)
    attention = at_least_float32(attention)
    positive, negative = (1.0, 1.0) if weights is None else weights
    costs = bce(tags[:, None], frame_scores, (attention * positive, torch.ones_like(attention) * negative))
    return masked_mean(costs, frame_mask(valid, tagged))


@LOSSES.register("micro")
class Micro(ClassWeighted):
    """The micro loss of M&mnet: cross-entropy of frame scores and tags, weighted by the attention.

    The objective of Chou, Jang & Yang 2018 is `clip_bce` plus this loss; their lambda is its `weight`. If the output
    has `levels`, the micro loss of each level is added (Eq. 10). It works with any head that provides attention.

    Args:
        class_weights: weights by class frequency; every class weighs 1 if None.

    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> Micro()(output(inputs), inputs).shape
    torch.Size([])
    """

    needs = Needs(output=frozenset({"frame_logits", "attention"}), known=frozenset({"tagged"}))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        weights = self.weights(batch.clip_labels)
        return torch.stack([self.of_map(each, batch, weights) for each in (output, *output.levels)]).sum()

    def of_map(self, output: Output, batch: Batch, weights: Weights | None) -> Tensor:
        """The loss for the frames of one output: the main output or one of its levels.

        >>> from wsed.testing import batch, output
        >>> inputs = batch()
        >>> Micro().of_map(output(inputs), inputs, weights=None).shape
        torch.Size([])
        """
        attention = output.need("attention").float()
        return micro(output.frame_scores, attention, batch.clip_labels, output.valid, batch.tagged, weights=weights)
