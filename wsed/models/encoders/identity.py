"""An encoder that returns the features unchanged."""

from jaxtyping import Bool, Float
from torch import Tensor

from wsed.models.base import ENCODERS, Encoder
from wsed.ops.grid import padding
from wsed.types import Encoded


@ENCODERS.register("identity")
class Identity(Encoder):
    """Returns the features as frame embeddings, for heads on the frontend `embeddings`.

    Args:
        n_bands: number of bands of the features.

    >>> import torch
    >>> Identity(n_bands=64)(torch.randn(2, 64, 20), None).frames.shape
    torch.Size([2, 20, 64])
    """

    stride = 1

    def __init__(self, n_bands: int) -> None:
        super().__init__()
        self.dim = n_bands

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        _, valid = padding(valid, features)
        return Encoded(features.transpose(1, 2), valid)
