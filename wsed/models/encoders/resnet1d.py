"""The residual network of M&mnet: bands are channels, and convolutions run over time."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, Encoder
from wsed.models.encoders.blocks import check_length
from wsed.models.init import he_init
from wsed.ops.grid import padding
from wsed.types import Encoded

Depth = Literal[8, 12, 28, 50]

BLOCKS: dict[Depth, tuple[int, int, int]] = {8: (1, 1, 1), 12: (1, 1, 1), 28: (3, 4, 4), 50: (7, 7, 8)}
"""Number of blocks in each stage, by depth.

The depth counts two layers per block, one per stage for its skip connection, and three of the classifier.
"""


def zero_padding(x: Float[Tensor, "clip channel frame"], valid: Bool[Tensor, "clip frame"] | None) -> Tensor:
    """Set padding to zero, like the zeros that a convolution adds at the end of an unpadded clip.

    >>> zero_padding(torch.ones(1, 1, 3), torch.tensor([[True, True, False]]))
    tensor([[[1., 1., 0.]]])
    """
    return x if valid is None else x * valid[:, None]


def convolution(inputs: int, channels: int, kernel: int = 3) -> nn.Conv1d:
    """A convolution over time that keeps the number of frames.

    >>> convolution(4, 8)(torch.zeros(1, 4, 10)).shape
    torch.Size([1, 8, 10])
    """
    return nn.Conv1d(inputs, channels, kernel, padding=kernel // 2)


class Residual(nn.Module):
    """A residual block: batch norm, convolution, batch norm, ReLU, convolution, batch norm, plus the input.

    As in the released code, there is no ReLU before the first convolution. In the first block of a stage, the input
    goes through a convolution of width 1.

    >>> Residual(4, 8, first=True)(torch.zeros(2, 4, 10), None).shape
    torch.Size([2, 8, 10])
    """

    def __init__(self, inputs: int, channels: int, first: bool) -> None:
        super().__init__()
        self.norm_1, self.conv_1 = nn.BatchNorm1d(inputs), convolution(inputs, channels)
        self.norm_2, self.conv_2 = nn.BatchNorm1d(channels), convolution(channels, channels)
        self.norm_3 = nn.BatchNorm1d(channels)
        self.skip = convolution(inputs, channels, 1) if first else nn.Identity()

    def forward(
        self, x: Float[Tensor, "clip channel frame"], valid: Bool[Tensor, "clip frame"] | None
    ) -> Float[Tensor, "clip channel2 frame"]:
        inner = self.conv_1(zero_padding(self.norm_1(x), valid))
        inner = self.conv_2(zero_padding(torch.relu(self.norm_2(inner)), valid))
        added: Tensor = self.norm_3(inner) + self.skip(x)
        return added


class Plain(nn.Module):
    """A block without skip connection and with one convolution: batch norm, convolution, batch norm, ReLU.

    >>> Plain(4, 8)(torch.zeros(2, 4, 10), None).shape
    torch.Size([2, 8, 10])
    """

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.norm_1, self.conv_1 = nn.BatchNorm1d(inputs), convolution(inputs, channels)
        self.norm_2 = nn.BatchNorm1d(channels)

    def forward(
        self, x: Float[Tensor, "clip channel frame"], valid: Bool[Tensor, "clip frame"] | None
    ) -> Float[Tensor, "clip channel2 frame"]:
        return torch.relu(self.norm_2(self.conv_1(zero_padding(self.norm_1(x), valid))))


class Pyramid(nn.Module):
    """Levels at the frame rates of the earlier stages: the stages themselves, and the last stage upsampled.

    Upsampling is a transposed convolution whose width is its stride, so that each new frame comes from one frame, then
    batch norm and ReLU.

    Args:
        channels: channels of the stages.
        pools: pooling over time between the stages.

    >>> valid = torch.ones(1, 4, dtype=torch.bool)
    >>> stages = [(torch.zeros(1, 8, 4), valid), (torch.zeros(1, 16, 2), valid[:, ::2])]
    >>> [level.frames.shape for level in Pyramid(channels=(8, 16), pools=(2,))(stages, stages[-1][0])]
    [torch.Size([1, 4, 8]), torch.Size([1, 4, 8])]
    """

    def __init__(self, channels: Sequence[int], pools: Sequence[int]) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in channels[:-1])
        steps = list(zip(channels[:0:-1], channels[-2::-1], pools[::-1], strict=True))
        self.ups = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose1d(inputs, width, pool, pool), nn.BatchNorm1d(width), nn.ReLU())
            for inputs, width, pool in steps
        )
        self.pools = tuple(pool for _, _, pool in steps)

    def forward(self, stages: Sequence[tuple[Tensor, Tensor]], last: Tensor) -> tuple[Encoded, ...]:
        """The levels of the earlier stages from high to low frame rate, then the upsampled ones from low to high.

        Args:
            stages: output `[clip channel frame]` and valid frames `[clip frame]` of each stage.
            last: output of the last stage after batch norm and ReLU.
        """
        levels = [(torch.relu(norm(x)), valid) for norm, (x, valid) in zip(self.norms, stages, strict=False)]
        x, valid = last, stages[-1][1]
        for up, pool in zip(self.ups, self.pools, strict=True):
            x, valid = up(x), valid.repeat_interleave(pool, dim=1)
            levels.append((x, valid))
        return tuple(Encoded(x.transpose(1, 2), valid) for x, valid in levels)


@ENCODERS.register("resnet1d")
class ResNet1d(Encoder):
    """Batch norm, a convolution, three stages of residual blocks with max pooling between them, batch norm, ReLU.

    Chou, Jang & Yang 2018, "Learning to recognize transient sound events using attentional supervision", after the
    released code. With 128 bands and the head `macro` for 17 classes it has 3.70 M weights, as published. 10 s at
    44.1 kHz and a hop of 492 samples become 56 frames of 0.18 s.

    The authors describe the layout of depth 12 only. The other layouts are this library's:

    | depth | layout | weights here | weights published |
    |---|---|---|---|
    | 8 (their ConvNet) | no skips, one convolution per block | 2.34 M (17 classes) | 1.54 M |
    | 28 | 3, 4 and 4 blocks per stage | 10.3 M (527 classes) | 16 M |
    | 50 | 7, 7 and 8 blocks per stage | 18.1 M (527 classes) | 20 M |

    Args:
        n_bands: number of bands of the features.
        depth: number of layers, including those of the head `macro`: 8, 12, 28 or 50.
        channels: channels of the three stages.
        pools: pooling over time between the stages.
        pyramid: also return four `levels`, for the network `mmnet`: the first two stages, and the last stage upsampled
            to both of their frame rates.

    Raises:
        WsedError: the depth is unknown, there are not three channels and two pools, or one is less than 1.

    >>> ResNet1d(n_bands=64)(torch.randn(2, 64, 32), None).frames.shape
    torch.Size([2, 2, 384])
    """

    def __init__(
        self,
        n_bands: int,
        depth: Depth = 12,
        channels: Sequence[int] = (256, 384, 384),
        pools: Sequence[int] = (4, 4),
        pyramid: bool = False,
    ) -> None:
        super().__init__()
        if len(channels) != 3 or len(pools) != 2 or min(*channels, *pools) < 1:
            raise WsedError(
                f"encoder: channels {list(channels)} must be three, pools {list(pools)} two, each 1 or more"
            )
        self.pools = tuple(pools)
        self.dim, self.stride = channels[-1], pools[0] * pools[1]
        self.start = nn.BatchNorm1d(n_bands)
        self.conv = convolution(n_bands, n_bands)
        widths = (n_bands, *channels)
        self.stages = nn.ModuleList(
            nn.ModuleList(_block(depth, widths[i + (n > 0)], widths[i + 1], n == 0) for n in range(blocks))
            for i, blocks in enumerate(BLOCKS[depth])
        )
        self.end = nn.BatchNorm1d(self.dim)
        self.pyramid = Pyramid(channels, pools) if pyramid else None
        if pyramid:
            fast, middle, _ = channels
            self.levels = ((fast, 1), (middle, pools[0]), (middle, pools[0]), (fast, 1))
        he_init(self)

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        check_length(features, self.stride)
        padded, valid = padding(valid, features)
        x = self.conv(zero_padding(self.start(features), valid if padded else None))
        outputs: list[tuple[Tensor, Tensor]] = []
        for stage, pool in zip(self.stages, (1, *self.pools), strict=True):
            n = valid.shape[1] // pool
            x, valid = nn.functional.max_pool1d(x, pool), valid[:, : n * pool].reshape(-1, n, pool).all(2)
            for block in stage:  # type: ignore[attr-defined]
                x = block(x, valid if padded else None)
            outputs.append((x, valid))
        x = torch.relu(self.end(x))
        levels = () if self.pyramid is None else self.pyramid(outputs, x)
        return Encoded(x.transpose(1, 2), valid, levels)


def _block(depth: Depth, inputs: int, channels: int, first: bool) -> nn.Module:
    return Plain(inputs, channels) if depth == 8 else Residual(inputs, channels, first)
