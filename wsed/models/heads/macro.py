"""Scores of a clip from all of it at once: frames are pooled first, then classified."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.models.base import HEADS, Head
from wsed.models.heads.tagging import mean_and_max
from wsed.models.init import he_init
from wsed.registry import check_option
from wsed.types import Encoded, Output


@HEADS.register("macro")
class Macro(Head):
    """The macro subnet of M&mnet: frames pooled over time, two dense layers (batch norm, ReLU), a score per label.

    Chou, Jang & Yang 2018, Eq. 2; alone it is their ResNet baseline. In training a batch must hold two clips or more.

    Args:
        dim: of the embeddings.
        n_labels: classes.
        pooling: of the embeddings over time, `mean` or `max`.
        hidden: width of the dense layers; the second is the `clip_embedding`.
        activation_map: give the class activation map too: what the classifier predicts for each frame by itself, from 0
            to 1 over the clip. The loss `plat` reads it; it takes no gradient.

    Raises:
        WsedError: the pooling is unknown.
    """

    provides = frozenset({"clip_logits", "clip_embedding", "valid"})

    def __init__(
        self,
        dim: int,
        n_labels: int,
        pooling: str = "mean",
        hidden: int = 1024,
        activation_map: bool = False,
    ) -> None:
        super().__init__()
        check_option("head macro", "pooling", pooling, ("mean", "max"))
        self.pooling, self.activation_map = pooling, activation_map
        self.dense = dense_layers(dim, hidden)
        self.linear = nn.Linear(hidden, n_labels)
        if activation_map:
            self.provides = self.provides | {"activation_map"}
        he_init(self)

    def forward(self, encoded: Encoded) -> Output:
        mean, largest = mean_and_max(encoded.frames, encoded.valid).chunk(2, dim=1)
        embedding = self.dense(mean if self.pooling == "mean" else largest)
        return Output(
            clip_logits=self.linear(embedding),
            clip_embedding=embedding,
            activation_map=self._map(encoded) if self.activation_map else None,
            valid=encoded.valid,
        )

    @torch.no_grad()
    def _map(self, encoded: Encoded) -> Float[Tensor, "clip frame label"]:
        training = self.training
        self.eval()  # frames are not what the running statistics are of
        scores = self.linear(self.dense(encoded.frames.flatten(0, 1))).unflatten(0, encoded.frames.shape[:2])
        self.train(training)
        return from_0_to_1(scores.float(), encoded.valid)


def dense_layers(dim: int, hidden: int) -> nn.Sequential:
    """Two dense layers with batch norm and ReLU."""
    first, second = ((nn.Linear(size, hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True)) for size in (dim, hidden))
    return nn.Sequential(*first, *second)


def from_0_to_1(
    scores: Float[Tensor, "clip frame label"], valid: Bool[Tensor, "clip frame"]
) -> Float[Tensor, "clip frame label"]:
    """Each curve moved and stretched so that its valid frames go from 0 to 1; zero in other frames, and if it is flat.

    Args:
        scores: float32 or wider.
        valid: frames that hold signal.
    """
    kept, far = valid[..., None], torch.finfo(scores.dtype).max
    low = torch.where(kept, scores, far).amin(1, keepdim=True)
    high = torch.where(kept, scores, -far).amax(1, keepdim=True)
    return torch.where(kept & (high > low), (scores - low) / (high - low).clamp(min=1e-7), 0.0)
