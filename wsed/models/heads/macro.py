"""Clip scores from pooled frame embeddings: the macro subnet of M&mnet."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.models.base import HEADS, Head
from wsed.models.heads.tagging import mean_and_max
from wsed.models.init import he_init
from wsed.types import Encoded, Output


@HEADS.register("macro")
class Macro(Head):
    """The macro subnet of M&mnet: pooling over time, two dense layers (batch norm, ReLU), one score per label.

    Chou, Jang & Yang 2018, Eq. 2; without a micro subnet it is their ResNet baseline. In training, a batch must hold
    two clips or more.

    Args:
        dim: dimension of the frame embeddings.
        n_labels: number of classes.
        pooling: pooling of the embeddings over time: `mean` or `max`.
        hidden: units of the dense layers; the output of the second is the `clip_embedding`.
        activation_map: also provide the class activation map, which the loss `plat` reads: the logits of each frame by
            the clip classifier, scaled to [0, 1] over the clip, without gradient.

    Raises:
        WsedError: the pooling is unknown; in `forward`: a training batch holds one clip only.

    >>> valid = torch.ones(2, 5, dtype=torch.bool)
    >>> Macro(dim=4, n_labels=3)(Encoded(torch.randn(2, 5, 4), valid)).clip_logits.shape
    torch.Size([2, 3])
    """

    provides = frozenset({"clip_logits", "clip_embedding", "valid"})

    def __init__(
        self,
        dim: int,
        n_labels: int,
        pooling: Literal["mean", "max"] = "mean",
        hidden: int = 1024,
        activation_map: bool = False,
    ) -> None:
        super().__init__()
        self.pooling, self.activation_map = pooling, activation_map
        self.dense = dense_layers(dim, hidden)
        self.linear = nn.Linear(hidden, n_labels)
        if activation_map:
            self.provides = self.provides | {"activation_map"}
        he_init(self)

    def forward(self, encoded: Encoded) -> Output:
        mean, largest = mean_and_max(encoded.frames, encoded.valid).chunk(2, dim=1)
        check_clips(self.dense, len(mean), "macro")
        embedding = self.dense(mean if self.pooling == "mean" else largest)
        return Output(
            clip_logits=self.linear(embedding),
            clip_embedding=embedding,
            activation_map=self._map(encoded) if self.activation_map else None,
            valid=encoded.valid,
        )

    @torch.no_grad()
    def _map(self, encoded: Encoded) -> Float[Tensor, "clip frame label"]:
        learning = [module for module in self.modules() if module.training]  # others may be frozen
        self.eval()  # frames must not change the running statistics of batch norm
        scores = self.linear(self.dense(encoded.frames.flatten(0, 1))).unflatten(0, encoded.frames.shape[:2])
        for module in learning:
            module.training = True
        return scaled_to_one(scores.float(), encoded.valid)


def dense_layers(dim: int, hidden: int) -> nn.Sequential:
    """Two dense layers, each with batch norm and ReLU.

    >>> dense_layers(dim=4, hidden=8)(torch.zeros(2, 4)).shape
    torch.Size([2, 8])
    """
    first, second = ((nn.Linear(size, hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True)) for size in (dim, hidden))
    return nn.Sequential(*first, *second)


def check_clips(dense: nn.Module, n_clips: int, head: str) -> None:
    """Refuse a single clip in training, of which batch norm cannot compute a variance.

    Args:
        dense: layers on one embedding per clip.
        n_clips: number of clips.
        head: name of the head, for the message.

    >>> check_clips(dense_layers(dim=4, hidden=8), 1, "macro")
    Traceback (most recent call last):
    wsed.errors.WsedError: head macro needs two clips or more in a training batch; give data.batch two clips or more
    """
    if n_clips == 1 and any(isinstance(part, nn.BatchNorm1d) and part.training for part in dense.modules()):
        raise WsedError(f"head {head} needs two clips or more in a training batch; give data.batch two clips or more")


def scaled_to_one(
    scores: Float[Tensor, "clip frame label"], valid: Bool[Tensor, "clip frame"]
) -> Float[Tensor, "clip frame label"]:
    """Scale the scores of each class so that the valid frames of a clip range from 0 to 1.

    Args:
        scores: at least float32.
        valid: frames that hold signal.

    Returns:
        the scaled scores; zero in other frames and where all scores are equal.

    >>> scaled_to_one(torch.tensor([[[-1.0], [0.0], [1.0]]]), torch.ones(1, 3, dtype=torch.bool)).flatten().tolist()
    [0.0, 0.5, 1.0]
    """
    kept, largest = valid[..., None], torch.finfo(scores.dtype).max
    low = torch.where(kept, scores, largest).amin(1, keepdim=True)
    high = torch.where(kept, scores, -largest).amax(1, keepdim=True)
    return torch.where(kept & (high > low), (scores - low) / (high - low).clamp(min=1e-7), 0.0)
