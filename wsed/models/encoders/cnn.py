"""Convolutional encoders: for the tagging network of Pellegrini & Cances 2019 and for Tao et al. 2023."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.models.base import ENCODERS, Encoder
from wsed.models.encoders.blocks import ConvBlocks
from wsed.models.init import keras_init
from wsed.types import Encoded


class Variant(NamedTuple):
    """Channels, kernels, `(time, band)` pools and dropout of the blocks.

    >>> VARIANTS["paper"].dropout
    0.2
    """

    channels: tuple[int, ...]
    kernels: int | tuple[int, ...]
    pools: tuple[tuple[int, int], ...]
    dropout: float


VARIANTS = {
    "paper": Variant((64, 64, 64), 3, ((1, 4), (1, 4), (1, 4)), 0.2),
    "notebook": Variant((64, 128, 256), 3, ((2, 4), (1, 4), (1, 4)), 0.2),
    "fpd": Variant((160, 160, 160), (5, 5, 3), ((1, 4), (1, 4), (1, 4)), 0.0),
}


@ENCODERS.register("cnn")
class CNN(Encoder):
    """Blocks of convolution, batch norm, ReLU, max pooling and dropout of whole channels.

    With the head `tagging`, the variants `paper` and `notebook` are the audio tagging network of Pellegrini & Cances
    2019. They have 217,226 and 906,122 trainable parameters for 10 classes; the authors' notebook uses dropout 0.5 in
    the head. The variant `fpd` is for the frame pairwise distance loss (Tao et al. 2023, section 2). That article names
    three such blocks without sizes; the sizes are those of the group's earlier work. It has 875,840 parameters and
    160 dimensions per frame from 64 bands, or 320 from 128 bands.

    Args:
        n_bands: number of bands of the features.
        variant: defaults of the other settings: `paper` (64 channels in each block, pools over bands), `notebook` (64,
            128 and 256 channels, the first block also halves the frame rate) or `fpd` (160 channels, kernels 5, 5 and
            3, no dropout).
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
        variant: Literal["paper", "notebook", "fpd"] = "paper",
        channels: int | Sequence[int] | None = None,
        kernels: int | Sequence[int] | None = None,
        pools: Sequence[Sequence[int]] | None = None,
        dropout: float | None = None,
    ) -> None:
        super().__init__()
        defaults = VARIANTS[variant]
        self.blocks = ConvBlocks(
            n_bands,
            defaults.channels if channels is None else channels,
            defaults.pools if pools is None else pools,
            defaults.kernels if kernels is None else kernels,
            dropout=nn.Dropout2d(defaults.dropout if dropout is None else dropout),
        )
        self.dim, self.stride = self.blocks.dim, self.blocks.stride
        keras_init(self)

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        return Encoded(*self.blocks(features, valid))
