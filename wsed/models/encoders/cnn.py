"""The convolutional encoder of the audio tagging network of Pellegrini & Cances 2019."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, Encoder
from wsed.models.encoders.crnn import ConvBlock, through_blocks
from wsed.models.init import keras_init
from wsed.types import Encoded

VARIANTS = {
    "paper": ((64, 64, 64), ((1, 4), (1, 4), (1, 4))),
    "notebook": ((64, 128, 256), ((2, 4), (1, 4), (1, 4))),
}
"""Channels, and `(time, band)` pooling, of each block."""


@ENCODERS.register("cnn")
class CNN(Encoder):
    """Three blocks of 3x3 convolution, batch norm, ReLU, max pooling and dropout of whole channels.

    With the head `tagging` it is the paper's audio tagging network; parameters, trainable, for 10 classes: 217,226
    (`paper`), 906,122 (`notebook`, as in the authors' notebook, where the head's dropout is 0.5).

    Args:
        n_bands: of the features.
        variant: `paper` (64 channels in each block, band pooling) or `notebook` (64, 128 and 256 channels, the first
            block halves the frame rate too).
        channels: of the blocks, one number for all or one each; the variant's if None.
        pools: `[time, band]` pooling of each block; time pooling lowers the frame rate (`stride`); the variant's if
            None.
        dropout: of whole channels, after each block.

    Raises:
        WsedError: channels and pools differ in number, or the pools leave nothing of the bands.
    """

    def __init__(
        self,
        n_bands: int,
        variant: Literal["paper", "notebook"] = "paper",
        channels: int | Sequence[int] | None = None,
        pools: Sequence[Sequence[int]] | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        usual_channels, usual_pools = VARIANTS[variant]
        pools = usual_pools if pools is None else pools
        channels = usual_channels if channels is None else channels
        widths = [channels] * len(pools) if isinstance(channels, int) else list(channels)
        if any(len(pool) != 2 or min(pool) < 1 for pool in pools):
            raise WsedError(f"encoder: pools are [time, band] pairs of 1 or more, not {list(pools)}")
        if not pools or len(widths) != len(pools):
            raise WsedError(f"encoder: {len(widths)} channels for {len(pools)} pools; give one of each a block")
        self.stride, bands = 1, n_bands
        blocks: list[nn.Module] = []
        for inputs, width, (time, band) in zip([1, *widths], widths, pools, strict=False):
            blocks.append(ConvBlock(inputs, width, "relu", (time, band), dropout=0.0))
            self.stride, bands = self.stride * time, bands // band
        if bands < 1:
            raise WsedError(f"encoder: pools {list(pools)} leave nothing of {n_bands} bands; pool less")
        self.dim = widths[-1] * bands
        self.blocks = nn.ModuleList(blocks)
        self.blocks.to(memory_format=torch.channels_last)
        self.dropout = nn.Dropout2d(dropout)
        self._time_pools = tuple(time for time, _ in pools)
        keras_init(self)

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"]) -> Encoded:
        blocks = (nn.Sequential(block, self.dropout) for block in self.blocks)
        return Encoded(*through_blocks(blocks, self._time_pools, features, valid))
