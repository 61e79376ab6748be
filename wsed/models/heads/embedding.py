"""One embedding a clip, for losses that compare clips."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.models.base import HEADS, Head
from wsed.registry import near
from wsed.types import Encoded, Output

AGGREGATIONS = ("mean", "attention", "max")


@HEADS.register("embedding")
class Embedding(Head):
    """The clip embedding, aggregated from those of the frames (Turpault et al. 2020); nothing is learned here.

    Args:
        dim: of the embeddings.
        n_labels: classes; plays no part.
        aggregation: over the valid frames: `mean`, `attention` (each dimension weighs itself by its softmax over
            time) or `max`.

    Raises:
        WsedError: an unknown aggregation.
    """

    provides = frozenset({"embeddings", "clip_embedding", "valid"})

    def __init__(self, dim: int, n_labels: int, aggregation: str = "mean") -> None:
        super().__init__()
        check_aggregation(aggregation)
        self.aggregation = aggregation

    def forward(self, encoded: Encoded) -> Output:
        clip = aggregate(encoded.frames, encoded.valid, self.aggregation)
        return Output(embeddings=encoded.frames, clip_embedding=clip, valid=encoded.valid)


def aggregate(
    frames: Float[Tensor, "clip frame dim"], valid: Bool[Tensor, "clip frame"], how: str = "mean"
) -> Float[Tensor, "clip dim"]:
    """One embedding a clip from those of its valid frames, float32 or wider; zeros for a clip without any.

    Args:
        frames: embeddings.
        valid: frames that hold signal.
        how: see `Embedding`.
    """
    kept = valid[..., None]
    frames = torch.where(kept, frames.to(torch.promote_types(frames.dtype, torch.float32)), 0.0)
    if how == "mean":
        return frames.sum(1) / kept.sum(1).clamp(min=1)
    held = torch.where(kept, frames, torch.finfo(frames.dtype).min)
    if how == "attention":
        return (held.softmax(1) * frames).sum(1)
    return torch.where(kept.any(1), held.amax(1), 0.0)


def check_aggregation(name: str) -> None:
    """A `WsedError` with the known names if there is no such aggregation."""
    if name not in AGGREGATIONS:
        known = ", ".join(AGGREGATIONS)
        raise WsedError(f"head: unknown aggregation {name!r}{near(name, AGGREGATIONS)}; known: {known}")
