"""Convolutional encoders: of the tagging network of Pellegrini & Cances 2019, and for Tao et al. 2023."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.models.base import ENCODERS, Encoder
from wsed.models.encoders.blocks import ConvBlocks
from wsed.models.init import keras_init
from wsed.types import Encoded


class Variant(NamedTuple):
    """Channels, kernels and `(time, band)` pooling of each block, and the dropout after it."""

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

    With the head `tagging`, `paper` and `notebook` are the audio tagging network of Pellegrini & Cances 2019;
    parameters, trainable, for 10 classes: 217,226 and 906,122 (as in the authors' notebook, where the head's dropout
    is 0.5). `fpd` is for the Frame Pairwise Distance loss (Tao et al. 2023, section 2: three such blocks, sizes not
    given); its sizes are those of the group's earlier work: 875,840 parameters, 160 dimensions per frame from 64 bands,
    320 from 128.

    Args:
        n_bands: of the features.
        variant: what the other settings are unless given: `paper` (64 channels in each block, band pooling),
            `notebook` (64, 128 and 256 channels, the first block halves the frame rate too) or `fpd` (160 channels,
            kernels 5, 5 and 3, no dropout).
        channels: of the blocks, one number for all or one each.
        kernels: width of the square convolutions, odd, one number for all or one each.
        pools: `[time, band]` pooling of each block; time pooling lowers the frame rate (`stride`).
        dropout: of whole channels, after each block.

    Raises:
        WsedError: channels, kernels and pools differ in number, or the pools leave nothing of the bands.
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
        usual = VARIANTS[variant]
        self.blocks = ConvBlocks(
            n_bands,
            usual.channels if channels is None else channels,
            usual.pools if pools is None else pools,
            usual.kernels if kernels is None else kernels,
            dropout=nn.Dropout2d(usual.dropout if dropout is None else dropout),
        )
        self.dim, self.stride = self.blocks.dim, self.blocks.stride
        keras_init(self)

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        return Encoded(*self.blocks(features, valid))
