"""A head with one embedding per clip, for losses that compare clips."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.literals import checked
from wsed.models.base import HEADS, Head
from wsed.types import Encoded, Output

Plain = Literal["mean", "attention", "max"]
Learned = Literal["gated"]


@HEADS.register("embedding")
class Embedding(Head):
    """One embedding per clip, aggregated from the embeddings of its valid frames (Turpault et al. 2020).

    | aggregation | clip embedding |
    |---|---|
    | mean | mean over the frames |
    | attention | weighted mean; the weights of each dimension are its softmax over time |
    | max | maximum of each dimension |
    | gated | weighted mean; the weights are the softmax over time of a learned linear score (Ilse et al. 2018) |

    Args:
        dim: dimension of the frame embeddings.
        n_labels: unused.
        aggregation: `mean`, `attention`, `max` or `gated`.

    Raises:
        WsedError: the aggregation is unknown.

    >>> valid = torch.ones(2, 5, dtype=torch.bool)
    >>> Embedding(dim=4, n_labels=3)(Encoded(torch.randn(2, 5, 4), valid)).clip_embedding.shape
    torch.Size([2, 4])
    """

    provides = frozenset({"embeddings", "clip_embedding", "valid"})

    def __init__(self, dim: int, n_labels: int, aggregation: Plain | Learned = "mean") -> None:
        super().__init__()
        self.aggregate = Aggregation(dim, aggregation)

    def forward(self, encoded: Encoded) -> Output:
        clip = self.aggregate(encoded.frames, encoded.valid)
        return Output(embeddings=encoded.frames, clip_embedding=clip, valid=encoded.valid)


@checked(owner="head")
class Aggregation(nn.Module):
    """A module that aggregates frame embeddings to one embedding per clip.

    Args:
        dim: dimension of the frame embeddings.
        aggregation: see `Embedding`.

    Raises:
        WsedError: the aggregation is unknown.

    >>> Aggregation(dim=1, aggregation="max")(torch.tensor([[[1.0], [3.0]]]), torch.ones(1, 2, dtype=torch.bool))
    tensor([[3.]])
    """

    def __init__(self, dim: int, aggregation: Plain | Learned = "mean") -> None:
        super().__init__()
        self.aggregation = aggregation
        self.gate = nn.Linear(dim, 1) if aggregation == "gated" else None

    def forward(
        self, frames: Float[Tensor, "clip frame dim"], valid: Bool[Tensor, "clip frame"]
    ) -> Float[Tensor, "clip dim"]:
        """The clip embeddings, at least float32."""
        if self.aggregation != "gated":
            return aggregate(frames, valid, self.aggregation)
        assert self.gate is not None
        frames = torch.where(valid[..., None], frames.to(torch.promote_types(frames.dtype, torch.float32)), 0.0)
        scores = self.gate(frames).float().masked_fill(~valid[..., None], torch.finfo(torch.float32).min)
        clip: Tensor = (scores.softmax(1) * frames).sum(1)
        return clip


@checked
def aggregate(
    frames: Float[Tensor, "clip frame dim"], valid: Bool[Tensor, "clip frame"], how: Plain = "mean"
) -> Float[Tensor, "clip dim"]:
    """Aggregate the embeddings of the valid frames to one per clip, at least float32; zeros without valid frames.

    Args:
        frames: frame embeddings.
        valid: frames that hold signal.
        how: `mean`, `attention` or `max`; see `Embedding`.

    >>> aggregate(torch.tensor([[[1.0], [3.0]]]), torch.ones(1, 2, dtype=torch.bool))
    tensor([[2.]])
    """
    kept = valid[..., None]
    frames = torch.where(kept, frames.to(torch.promote_types(frames.dtype, torch.float32)), 0.0)
    if how == "mean":
        return frames.sum(1) / kept.sum(1).clamp(min=1)
    masked = torch.where(kept, frames, torch.finfo(frames.dtype).min)
    if how == "attention":
        return (masked.softmax(1) * frames).sum(1)
    return torch.where(kept.any(1), masked.amax(1), 0.0)
