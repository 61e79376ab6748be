"""PLAT: frame labels made from the class activation map of a clip classifier."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.losses.base import LOSSES
from wsed.losses.bce import bce, frame_mask
from wsed.losses.class_weights import ClassWeighted, ClassWeights, Weights
from wsed.losses.shapes import check_probabilities, check_shapes
from wsed.ops.reduce import masked_mean
from wsed.types import Batch, Needs, Output


def plat(
    frame_scores: Float[Tensor, "clip frame label"],
    activation_map: Float[Tensor, "clip frame label"],
    tags: Float[Tensor, "clip label"],
    valid: Bool[Tensor, "clip frame"] | None = None,
    tagged: Bool[Tensor, "clip label"] | None = None,
    *,
    threshold: float = 0.5,
    weights: Weights | None = None,
) -> Float[Tensor, ""]:
    """Mean cross-entropy of frame scores and labels made from a class activation map (Chou, Jang & Yang 2018).

    The label of a frame is the tag `y` if the map is above the threshold, else 0. The authors give no formula and no
    threshold: both are this library's reading.

    Args:
        frame_scores: probabilities.
        activation_map: in [0, 1]; gets no gradient.
        tags: in [0, 1].
        valid: frames that hold signal; all if None.
        tagged: tags that are known; all if None.
        threshold: threshold of the map.
        weights: factors of the terms of `y` and `1 - y`, each `[label]`; 1 if None.

    Returns:
        0-d; a zero attached to the graph if no tag is known.

    Raises:
        WsedError: shapes do not fit.

    >>> frame_scores, activation_map = torch.tensor([[[0.9], [0.1]]]), torch.tensor([[[1.0], [0.0]]])
    >>> plat(frame_scores, activation_map, torch.tensor([[1.0]]))
    tensor(0.1054)
    """
    check_shapes("plat", frame_scores, tags, valid, tagged)
    check_probabilities("plat", frame_scores)
    targets = torch.where(activation_map.detach() > threshold, tags.to(torch.float32)[:, None], 0.0)
    return masked_mean(bce(targets, frame_scores, weights), frame_mask(valid, tagged))


@LOSSES.register("plat")
class PLAT(ClassWeighted):
    """Cross-entropy of frame scores and labels made from the class activation map in each step.

    Use it beside `clip_bce`, with heads such as `[{class_path: macro, init_args: {activation_map: true}}, {class_path:
    micro, init_args: {aspects: 0}}]`.

    Args:
        threshold: threshold of the map, in [0, 1): frames above it get the tags of their clip.
        class_weights: weights by class frequency; every class weighs 1 if None.

    Raises:
        WsedError: the threshold is not in [0, 1).

    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> PLAT()(output(inputs), inputs).shape
    torch.Size([])
    """

    needs = Needs(output=frozenset({"frame_logits", "activation_map"}), known=frozenset({"tagged"}))

    def __init__(self, threshold: float = 0.5, class_weights: ClassWeights | None = None) -> None:
        super().__init__(class_weights)
        if not 0 <= threshold < 1:
            raise WsedError(f"plat: threshold must be in [0, 1), not {threshold:g}")
        self.threshold = threshold

    def forward(self, output: Output, batch: Batch) -> Tensor:
        tags = batch.clip_labels
        return plat(
            output.frame_scores,
            output.need("activation_map"),
            tags,
            output.valid,
            batch.tagged,
            threshold=self.threshold,
            weights=self.weights(tags),
        )
