"""A plain convolutional encoder: for the tagging network of Pellegrini & Cances 2019 and for Tao et al. 2023."""

from collections.abc import Sequence

from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.models.base import ENCODERS, Encoder
from wsed.models.encoders.blocks import ConvBlocks
from wsed.models.init import keras_init
from wsed.types import Encoded


@ENCODERS.register("cnn")
class CNN(Encoder):
    """Blocks of convolution, batch norm, ReLU, max pooling and dropout of whole channels.

    The defaults are those of the audio tagging network of Pellegrini & Cances 2019, which has 217,226 trainable
    parameters with the head `tagging` and 10 classes. Tao et al. 2023 (section 2) use three such blocks without naming
    sizes; the sizes of the group's earlier work are 160 channels, kernels 5, 5 and 3, and no dropout.

    Args:
        n_bands: number of bands of the features.
        channels: channels of all blocks, or a list with one number per block.
        kernels: width of the square convolutions, odd; one number, or a list with one per block.
        pools: `[time, band]` pooling of each block; time pooling lowers the frame rate (`stride`).
        dropout: dropout of whole channels after each block.

    Raises:
        WsedError: channels, kernels and pools differ in number, or the pools leave no bands.

    >>> import torch
    >>> CNN(n_bands=64)(torch.randn(2, 64, 20), None).frames.shape
    torch.Size([2, 20, 64])
    """

    def __init__(
        self,
        n_bands: int,
        channels: int | Sequence[int] = 64,
        kernels: int | Sequence[int] = 3,
        pools: Sequence[Sequence[int]] = ((1, 4), (1, 4), (1, 4)),
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.blocks = ConvBlocks(n_bands, channels, pools, kernels, dropout=nn.Dropout2d(dropout))
        self.dim, self.stride = self.blocks.dim, self.blocks.stride
        keras_init(self)

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        return Encoded(*self.blocks(features, valid))
