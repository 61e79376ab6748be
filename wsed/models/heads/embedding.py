"""One embedding per clip, for losses that compare clips."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.models.base import HEADS, Head
from wsed.registry import check_option
from wsed.types import Encoded, Output

AGGREGATIONS = ("mean", "attention", "max", "gated")


@HEADS.register("embedding")
class Embedding(Head):
    """The clip embedding, aggregated from those of the frames (Turpault et al. 2020).

    Args:
        dim: of the embeddings.
        n_labels: unused.
        aggregation: over the valid frames: `mean`, `attention` (each dimension weighs itself by its softmax over
            time), `max`, or `gated` (a learned linear score says which frames count, by its softmax over time, as in
            Ilse et al. 2018; the only one that learns).

    Raises:
        WsedError: an unknown aggregation.
    """

    provides = frozenset({"embeddings", "clip_embedding", "valid"})

    def __init__(self, dim: int, n_labels: int, aggregation: str = "mean") -> None:
        super().__init__()
        self.aggregate = Aggregation(dim, aggregation)

    def forward(self, encoded: Encoded) -> Output:
        clip = self.aggregate(encoded.frames, encoded.valid)
        return Output(embeddings=encoded.frames, clip_embedding=clip, valid=encoded.valid)


class Aggregation(nn.Module):
    """From frames to a clip, by one of `AGGREGATIONS`.

    Args:
        dim: of the embeddings.
        name: see `Embedding`.

    Raises:
        WsedError: an unknown one.
    """

    def __init__(self, dim: int, name: str = "mean") -> None:
        super().__init__()
        check_option("head", "aggregation", name, AGGREGATIONS)
        self.name = name
        self.gate = nn.Linear(dim, 1) if name == "gated" else None

    def forward(
        self, frames: Float[Tensor, "clip frame dim"], valid: Bool[Tensor, "clip frame"]
    ) -> Float[Tensor, "clip dim"]:
        """One embedding per clip."""
        if self.gate is None:
            return aggregate(frames, valid, self.name)
        frames = torch.where(valid[..., None], frames.to(torch.promote_types(frames.dtype, torch.float32)), 0.0)
        scores = self.gate(frames).float().masked_fill(~valid[..., None], torch.finfo(torch.float32).min)
        clip: Tensor = (scores.softmax(1) * frames).sum(1)
        return clip


def aggregate(
    frames: Float[Tensor, "clip frame dim"], valid: Bool[Tensor, "clip frame"], how: str = "mean"
) -> Float[Tensor, "clip dim"]:
    """One embedding per clip from those of its valid frames, float32 or wider; zeros for a clip without any.

    Args:
        frames: embeddings.
        valid: frames that hold signal.
        how: `mean`, `attention` or `max`, see `Embedding`.
    """
    kept = valid[..., None]
    frames = torch.where(kept, frames.to(torch.promote_types(frames.dtype, torch.float32)), 0.0)
    if how == "mean":
        return frames.sum(1) / kept.sum(1).clamp(min=1)
    held = torch.where(kept, frames, torch.finfo(frames.dtype).min)
    if how == "attention":
        return (held.softmax(1) * frames).sum(1)
    return torch.where(kept.any(1), held.amax(1), 0.0)
