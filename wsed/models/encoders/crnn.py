"""The convolutional recurrent encoder of Pellegrini & Cances 2019, with ReLU or gated linear units."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.models.base import ENCODERS, Encoder
from wsed.models.encoders.blocks import Activation, ConvBlocks
from wsed.models.init import keras_init
from wsed.ops.grid import padding
from wsed.ops.recurrent import bidirectional_gru, exported_gru, padded_gru
from wsed.types import Encoded


@ENCODERS.register("crnn")
class CRNN(Encoder):
    """Three convolution blocks, a bidirectional GRU and a dense layer.

    With the head `framewise` for 10 classes it has 133,706 (ReLU) or 208,202 (GLU) trainable parameters: 384 more than
    published, since the GRU of torch has a second bias.

    Args:
        n_bands: number of bands of the features.
        activation: `relu` or `glu`.
        channels: channels of each convolution block.
        pools: `[time, band]` pooling of each block; time pooling lowers the frame rate (`stride`).
        gru: units of the GRU per direction.
        dense: units of the dense layer, which is the `dim` of the embeddings.
        conv_dropout: dropout after each convolution block.
        dropout: dropout of the inputs of the GRU and of the dense layer. The published dropout of the recurrent state
            is missing, since the GRU of torch has none.

    >>> CRNN(n_bands=64)(torch.randn(2, 64, 20), None).frames.shape
    torch.Size([2, 20, 64])
    """

    def __init__(
        self,
        n_bands: int,
        activation: Activation = "relu",
        channels: int = 64,
        pools: Sequence[Sequence[int]] = ((1, 4), (1, 4), (1, 4)),
        gru: int = 64,
        dense: int = 64,
        conv_dropout: float = 0.0,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.blocks = ConvBlocks(n_bands, channels, pools, activation=activation, dropout=nn.Dropout(conv_dropout))
        self.dim, self.stride = dense, self.blocks.stride
        self.gru = nn.GRU(self.blocks.dim, gru, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(2 * gru, dense)
        keras_init(self)

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        padded, _ = padding(valid, features)
        frames, valid = self.blocks(features, valid)
        frames = self.dropout(frames)
        frames = self.dropout(self._recur(frames, valid, padded))
        return Encoded(torch.relu(self.dense(frames)), valid)

    def _recur(self, frames: Tensor, valid: Tensor, padded: bool) -> Tensor:
        if torch.onnx.is_in_onnx_export():
            return exported_gru(self.gru, frames)
        if frames.device.type == "cpu":
            return bidirectional_gru(self.gru, frames, valid if padded else None)
        if not padded:
            return self.gru(frames)[0]  # type: ignore[no-any-return]
        return padded_gru(self.gru, frames, valid)
