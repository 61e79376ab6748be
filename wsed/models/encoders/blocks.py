"""Convolution blocks over time and bands: the first layers of most encoders."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.ops.grid import padding

Activation = Literal["relu", "glu"]


@checked(owner="encoder")
class ConvBlock(nn.Module):
    """Convolution, batch norm, ReLU or GLU, max pooling over `(time, band)`, dropout.

    With GLU, the convolution has twice the channels and no bias, and one half gates the other: `a * sigmoid(g)`.

    Args:
        inputs: number of input channels.
        channels: number of output channels.
        kernel: width of the square convolution, odd.
        activation: `relu` or `glu`.
        pool: `(time, band)` pooling.
        dropout: the dropout module.

    >>> block = ConvBlock(1, 8, kernel=3, activation="relu", pool=(1, 4), dropout=nn.Identity())
    >>> block(torch.zeros(2, 1, 10, 16)).shape
    torch.Size([2, 8, 10, 4])
    """

    def __init__(
        self, inputs: int, channels: int, kernel: int, activation: Activation, pool: tuple[int, int], dropout: nn.Module
    ) -> None:
        super().__init__()
        self.glu = activation == "glu"
        wide = 2 * channels if self.glu else channels
        self.conv = nn.Conv2d(inputs, wide, kernel, padding=kernel // 2, bias=not self.glu)
        self.norm = nn.BatchNorm2d(wide)
        self.pool = nn.MaxPool2d(pool)
        self.dropout = dropout

    def forward(self, x: Float[Tensor, "clip channel frame band"]) -> Float[Tensor, "clip channel2 frame2 band2"]:
        if self.glu:  # nn.GLU has no channels-last gradient, and then the backward of batch norm takes 5 times as long
            value, gate = self._halves(x)
            x = value * torch.sigmoid(gate)
        else:
            x = torch.relu(self._normed(x))
        pooled: Tensor = self.dropout(self.pool(x))
        return pooled

    def _normed(self, x: Tensor) -> Tensor:
        """Convolution and batch norm; one convolution where nothing is learned, as batch norm takes as long as both."""
        if self.norm.training or torch.is_grad_enabled():
            normed: Tensor = self.norm(self.conv(x))
            return normed
        weight, bias = self._folded()
        return F.conv2d(x, weight, bias, padding=self.conv.padding)

    def _halves(self, x: Tensor) -> tuple[Tensor, ...]:
        """The two halves of the channels. An exported network has a convolution for each: ONNX Runtime cuts slowly."""
        if not torch.compiler.is_exporting():
            return self._normed(x).chunk(2, dim=1)
        weight, bias = self._folded()
        halves = zip(weight.chunk(2), bias.chunk(2), strict=True)
        return tuple(F.conv2d(x, of, plus, padding=self.conv.padding) for of, plus in halves)

    def _folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of convolution and batch norm as one convolution."""
        mean, variance = self.norm.running_mean, self.norm.running_var
        assert mean is not None
        assert variance is not None
        return fuse_conv_bn_weights(
            self.conv.weight, self.conv.bias, mean, variance, self.norm.eps, self.norm.weight, self.norm.bias
        )


@checked(owner="encoder")
class ConvBlocks(nn.ModuleList):
    """A sequence of convolution blocks.

    States `dim` (channels of the last block times the bands after pooling) and `stride` (time steps per frame).

    Args:
        n_bands: number of bands of the features.
        channels: channels of all blocks, or a list with one number per block.
        pools: `[time, band]` pooling of each block.
        kernels: width of the square convolutions, odd; one number, or a list with one per block.
        activation: `relu` or `glu`.
        dropout: dropout module after each block; no dropout if None.

    Raises:
        WsedError: channels, kernels and pools differ in number, the pools leave no bands, or a kernel is even; in
            `forward`: the pools leave no frames.

    >>> frames, valid = ConvBlocks(16, channels=8, pools=[(1, 4), (2, 2)])(torch.zeros(2, 16, 10), None)
    >>> frames.shape
    torch.Size([2, 5, 16])
    """

    def __init__(
        self,
        n_bands: int,
        channels: int | Sequence[int],
        pools: Sequence[Sequence[int]],
        kernels: int | Sequence[int] = 3,
        activation: Activation = "relu",
        dropout: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if any(len(pool) != 2 or min(pool) < 1 for pool in pools):
            raise WsedError(f"encoder: pools are [time, band] pairs of 1 or more, not {list(pools)}")
        widths, sizes = _each(channels, pools, "channels"), _each(kernels, pools, "kernels")
        if any(size % 2 == 0 for size in sizes):
            raise WsedError(f"encoder: kernels must be odd, not {sizes}")
        self.stride, bands = 1, n_bands
        for inputs, width, size, (time, band) in zip([1, *widths], widths, sizes, pools, strict=False):
            self.append(ConvBlock(inputs, width, size, activation, (time, band), dropout or nn.Identity()))
            self.stride, bands = self.stride * time, bands // band
        if bands < 1:
            raise WsedError(f"encoder: pools {list(pools)} leave nothing of {n_bands} bands; use smaller pools")
        self.dim = widths[-1] * bands
        self._time_pools = tuple(time for time, _ in pools)
        self.to(memory_format=torch.channels_last)

    def forward(
        self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None
    ) -> tuple[Float[Tensor, "clip frame2 dim"], Bool[Tensor, "clip frame2"]]:
        """Frame embeddings (channels and bands in one axis), and the frames that hold signal.

        All frames hold signal if `valid` is None. Padding is set to zero before each block, like the zeros that a
        convolution adds at the end of an unpadded clip.
        """
        check_length(features, self.stride)
        padded, valid = padding(valid, features)
        x = one_channel(features.transpose(1, 2))
        for block, time in zip(self, self._time_pools, strict=True):
            x = block(x * valid[:, None, :, None] if padded else x)
            n = valid.shape[1] // time
            valid = valid[:, : n * time].reshape(-1, n, time).all(2)
        return x.transpose(1, 2).flatten(2), valid


def check_length(features: Float[Tensor, "clip band frame"], pooled: int) -> None:
    """Refuse clips that are too short for pooling over so many frames, which would leave no frame.

    >>> check_length(torch.zeros(1, 8, 4), 8)
    Traceback (most recent call last):
    wsed.errors.WsedError: encoder: clips of 4 frames are too short for pools over 8; use longer clips or smaller pools
    """
    n = features.shape[2]
    if not torch.compiler.is_exporting() and n < pooled:
        raise WsedError(
            f"encoder: clips of {n} frames are too short for pools over {pooled}; use longer clips or smaller pools"
        )


def one_channel(images: Float[Tensor, "clip height width"]) -> Float[Tensor, "clip 1 height width"]:
    """Images with an axis for their only channel, in channels-last format.

    `contiguous(memory_format=torch.channels_last)` does not change the strides of a single channel. On a GPU, the
    backward pass of a convolution tells the format by these strides. It would take the input for contiguous, and copy
    the gradient of all output channels into that format.

    >>> one_channel(torch.zeros(2, 5, 8)).stride()
    (40, 1, 8, 1)
    """
    return images.contiguous()[..., None].permute(0, 3, 1, 2)


def _each(value: int | Sequence[int], pools: Sequence[Sequence[int]], name: str) -> list[int]:
    values = [value] * len(pools) if isinstance(value, int) else list(value)
    if not pools or len(values) != len(pools):
        raise WsedError(f"encoder: {len(values)} {name} for {len(pools)} pools; give one of each per block")
    return values
