"""The convolutional recurrent encoder of Pellegrini & Cances 2019, with ReLU or gated linear units."""

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, Encoder
from wsed.models.init import keras_init
from wsed.ops.recurrent import bidirectional_gru
from wsed.types import Encoded


class ConvBlock(nn.Module):
    """3x3 convolution, batch norm, ReLU or GLU, max pooling over `(time, band)`.

    With GLU the convolution is twice as wide, has no bias, and one half gates the other: `a * sigmoid(g)`.
    """

    def __init__(self, inputs: int, channels: int, activation: str, pool: tuple[int, int], dropout: float) -> None:
        super().__init__()
        self.glu = activation == "glu"
        wide = 2 * channels if self.glu else channels
        self.conv = nn.Conv2d(inputs, wide, 3, padding=1, bias=not self.glu)
        self.norm = nn.BatchNorm2d(wide)
        self.pool = nn.MaxPool2d(pool)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "clip channel frame band"]) -> Float[Tensor, "clip channel2 frame2 band2"]:
        x = self.norm(self.conv(x))
        if self.glu:  # not nn.GLU: its gradient is not channels-last, which makes batch norm's backward 5 times slower
            value, gate = x.chunk(2, dim=1)
            x = value * torch.sigmoid(gate)
        else:
            x = torch.relu(x)
        pooled: Tensor = self.dropout(self.pool(x))
        return pooled


def through_blocks(
    blocks: Iterable[nn.Module],
    time_pools: Iterable[int],
    features: Float[Tensor, "clip band frame"],
    valid: Bool[Tensor, "clip frame"],
) -> tuple[Float[Tensor, "clip frame2 dim"], Bool[Tensor, "clip frame2"]]:
    """Frames after convolution blocks, channels and bands as one axis, and which of them hold signal.

    Padding is zero before each block, as beyond the end of a lone clip.
    """
    padded = not bool(valid.all())
    x = features.transpose(1, 2)[:, None].contiguous(memory_format=torch.channels_last)
    for block, time in zip(blocks, time_pools, strict=True):
        x = block(x * valid[:, None, :, None] if padded else x)
        n = valid.shape[1] // time
        valid = valid[:, : n * time].reshape(-1, n, time).all(2)
    return x.transpose(1, 2).flatten(2), valid


@ENCODERS.register("crnn")
class CRNN(Encoder):
    """Three convolution blocks, a bidirectional GRU and a dense layer.

    Parameters, trainable, with the framewise head for 10 classes: 133,706 (ReLU), 208,202 (GLU); 384 more than the
    paper's, since torch's GRU has a second bias.

    Args:
        n_bands: of the features.
        activation: `relu` or `glu`.
        channels: of each convolution block.
        pools: `[time, band]` pooling of each block; time pooling lowers the frame rate (`stride`).
        gru: units per direction.
        dense: width of the dense layer, the `dim` of the embeddings.
        conv_dropout: after each block.
        dropout: on the input of the GRU and of the dense layer (the paper's 0.1 on the recurrent state is left out:
            torch's GRU has none).
    """

    def __init__(
        self,
        n_bands: int,
        activation: Literal["relu", "glu"] = "relu",
        channels: int = 64,
        pools: Sequence[Sequence[int]] = ((1, 4), (1, 4), (1, 4)),
        gru: int = 64,
        dense: int = 64,
        conv_dropout: float = 0.0,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if any(len(pool) != 2 or min(pool) < 1 for pool in pools):
            raise WsedError(f"encoder: pools are [time, band] pairs of 1 or more, not {list(pools)}")
        self.dim, self.stride, bands = dense, 1, n_bands
        blocks: list[nn.Module] = []
        for time, band in pools:
            blocks.append(ConvBlock(channels if blocks else 1, channels, activation, (time, band), conv_dropout))
            self.stride, bands = self.stride * time, bands // band
        if bands < 1:
            raise WsedError(f"encoder: pools {list(pools)} leave nothing of {n_bands} bands; pool less")
        self.blocks = nn.ModuleList(blocks)
        self.blocks.to(memory_format=torch.channels_last)
        self._time_pools = tuple(time for time, _ in pools)
        self.gru = nn.GRU(channels * bands, gru, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(2 * gru, dense)
        keras_init(self)

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"]) -> Encoded:
        padded = not bool(valid.all())
        frames, valid = through_blocks(self.blocks, self._time_pools, features, valid)
        frames = self.dropout(frames)
        frames = self.dropout(self._recur(frames, valid, padded))
        return Encoded(torch.relu(self.dense(frames)), valid)

    def _recur(self, frames: Tensor, valid: Tensor, padded: bool) -> Tensor:
        if frames.device.type == "cpu":
            return bidirectional_gru(self.gru, frames, valid if padded else None)
        if not padded:
            return self.gru(frames)[0]  # type: ignore[no-any-return]
        lengths = valid.sum(1).clamp(min=1).cpu()
        packed = pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=frames.shape[1])[0]
