"""The convolutional recurrent encoder of Pellegrini & Cances 2019, with ReLU or gated linear units."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, Encoder
from wsed.models.encoders.blocks import Activation, ConvBlocks
from wsed.models.init import keras_init
from wsed.ops.grid import padding
from wsed.ops.recurrent import bidirectional
from wsed.types import Encoded


@ENCODERS.register("crnn")
class CRNN(Encoder):
    """Convolution blocks (three by default), bidirectional GRUs and a dense layer.

    With the head `framewise` for 10 classes it has 133,706 (ReLU) or 208,202 (GLU) trainable parameters: 384 more than
    published, since the GRU of torch has a second bias.

    Args:
        n_bands: number of bands of the features.
        activation: `relu` or `glu`.
        channels: channels of each convolution block; one number, or a list with one per block.
        pools: `[time, band]` pooling of each block; time pooling lowers the frame rate (`stride`).
        gru: units of the GRU per direction.
        dense: units of the dense layer, which is the `dim` of the embeddings; None: no dense layer.
        conv_dropout: dropout after each convolution block.
        dropout: dropout of the inputs of the GRU and of the dense layer. The published dropout of the recurrent state
            is missing, since the GRU of torch has none.
        layers: number of GRUs, one after the other.

    Raises:
        WsedError: there is no GRU, or the blocks do not fit together.

    >>> CRNN(n_bands=64)(torch.randn(2, 64, 20), None).frames.shape
    torch.Size([2, 20, 64])
    """

    def __init__(
        self,
        n_bands: int,
        activation: Activation = "relu",
        channels: int | Sequence[int] = 64,
        pools: Sequence[Sequence[int]] = ((1, 4), (1, 4), (1, 4)),
        gru: int = 64,
        dense: int | None = 64,
        conv_dropout: float = 0.0,
        dropout: float = 0.1,
        layers: int = 1,
    ) -> None:
        super().__init__()
        if layers < 1:
            raise WsedError(f"encoder crnn: layers must be 1 or more, not {layers}")
        self.blocks = ConvBlocks(n_bands, channels, pools, activation=activation, dropout=nn.Dropout(conv_dropout))
        self.dim, self.stride = 2 * gru if dense is None else dense, self.blocks.stride
        self.gru = nn.GRU(self.blocks.dim, gru, batch_first=True, bidirectional=True)
        more = (nn.GRU(2 * gru, gru, batch_first=True, bidirectional=True) for _ in range(layers - 1))
        self.more = nn.ModuleList(more)
        self.dropout = nn.Dropout(dropout)
        self.dense = None if dense is None else nn.Linear(2 * gru, dense)
        keras_init(self)

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        padded, _ = padding(valid, features)
        frames, valid = self.blocks(features, valid)
        return self.recurrent(frames, valid, padded)

    def recurrent(
        self, frames: Float[Tensor, "clip frame dim"], valid: Bool[Tensor, "clip frame"], padded: bool
    ) -> Encoded:
        """The GRUs and the dense layer on the output of the convolutions.

        Args:
            frames: the output of the convolutions.
            valid: frames that hold signal.
            padded: whether some frames may not.

        >>> frames, valid = torch.randn(2, 5, 64), torch.ones(2, 5, dtype=torch.bool)
        >>> CRNN(n_bands=64).recurrent(frames, valid, padded=False).frames.shape
        torch.Size([2, 5, 64])
        """
        frames = self.dropout(frames)
        for gru in (self.gru, *self.more):
            assert isinstance(gru, nn.GRU)
            frames = bidirectional(gru, frames, valid if padded else None)
        frames = self.dropout(frames)
        return Encoded(frames if self.dense is None else torch.relu(self.dense(frames)), valid)
