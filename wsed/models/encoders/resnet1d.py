"""The residual network of M&mnet: bands are channels, convolutions go along time."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, Encoder
from wsed.models.init import he_init
from wsed.ops.grid import padding
from wsed.registry import check_option
from wsed.types import Encoded

BLOCKS = {8: (1, 1, 1), 12: (1, 1, 1), 28: (3, 4, 4), 50: (7, 7, 8)}
"""Blocks of each stage by depth. It counts two layers a block, one a stage for its skip, three of the classifier."""


def kept(x: Float[Tensor, "clip channel frame"], valid: Bool[Tensor, "clip frame"] | None) -> Tensor:
    """Zero where there is no signal, as a convolution finds it beyond the end of a lone clip."""
    return x if valid is None else x * valid[:, None]


def convolution(inputs: int, channels: int, kernel: int = 3) -> nn.Conv1d:
    """A convolution over time that keeps the number of frames."""
    return nn.Conv1d(inputs, channels, kernel, padding=kernel // 2)


class Residual(nn.Module):
    """Batch norm, convolution, batch norm, ReLU, convolution, batch norm, and the input added.

    As in the released code, the first convolution reads its batch norm without a ReLU in between. The input goes
    through a convolution of width 1 at the start of a stage.
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
        inner = self.conv_1(kept(self.norm_1(x), valid))
        inner = self.conv_2(kept(torch.relu(self.norm_2(inner)), valid))
        added: Tensor = self.norm_3(inner) + self.skip(x)
        return added


class Plain(nn.Module):
    """What is left of `Residual` without the skip and the second convolution."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.norm_1, self.conv_1 = nn.BatchNorm1d(inputs), convolution(inputs, channels)
        self.norm_2 = nn.BatchNorm1d(channels)

    def forward(
        self, x: Float[Tensor, "clip channel frame"], valid: Bool[Tensor, "clip frame"] | None
    ) -> Float[Tensor, "clip channel2 frame"]:
        return torch.relu(self.norm_2(self.conv_1(kept(self.norm_1(x), valid))))


class Pyramid(nn.Module):
    """Maps at the rates of the earlier stages: their own, and the last one brought back up to them.

    Each is a transposed convolution from the one before it, as long as its stride, so that a frame above is made of one
    frame below; then, like the last map, batch norm and ReLU.

    Args:
        channels: of the stages.
        pools: between the stages.
    """

    def __init__(self, channels: Sequence[int], pools: Sequence[int]) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for width in channels[:-1])
        ways = list(zip(channels[:0:-1], channels[-2::-1], pools[::-1], strict=True))
        self.ups = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose1d(below, width, pool, pool), nn.BatchNorm1d(width), nn.ReLU())
            for below, width, pool in ways
        )
        self.pools = tuple(pool for _, _, pool in ways)

    def forward(self, stages: Sequence[tuple[Tensor, Tensor]], last: Tensor) -> tuple[Encoded, ...]:
        """The earlier stages' maps from fast to slow, then those made of `last` from slow to fast.

        Args:
            stages: map `[clip channel frame]` and valid frames `[clip frame]` of each stage.
            last: the last one as the heads read it.
        """
        found = [(torch.relu(norm(x)), valid) for norm, (x, valid) in zip(self.norms, stages, strict=False)]
        x, valid = last, stages[-1][1]
        for up, pool in zip(self.ups, self.pools, strict=True):
            x, valid = up(x), valid.repeat_interleave(pool, dim=1)
            found.append((x, valid))
        return tuple(Encoded(x.transpose(1, 2), valid) for x, valid in found)


@ENCODERS.register("resnet1d")
class ResNet1d(Encoder):
    """Batch norm, a convolution, three stages of residual blocks with max pooling between them, batch norm, ReLU.

    Chou, Jang & Yang 2018, "Learning to recognize transient sound events using attentional supervision", after the
    released code; with 128 bands and the head `macro` for 17 classes it has the published 3.70 M weights. 10 s at
    44.1 kHz and a hop of 492 become 56 frames of 0.18 s.

    The paper gives no layout for depths other than 12. Here, 28 and 50 have more blocks a stage (3, 4, 4 and 7, 7, 8):
    10.3 M and 18.1 M weights for 527 classes where it prints 16 M and 20 M. 8, as it calls its ConvNet, has no skips
    and no second convolutions: 2.34 M for 17 classes, 1.54 M printed.

    Args:
        n_bands: of the features.
        depth: layers, those of the head `macro` among them: 8, 12, 28 or 50.
        channels: of each stage.
        pools: between the stages, over time.
        pyramid: give `levels` too, for the network `mmnet`: the maps of the stages but the last, and as many that
            transposed convolutions make of the last, so that there are 5 maps.

    Raises:
        WsedError: the depth is unknown, there are not three channels and two pools, or one is less than 1.
    """

    def __init__(
        self,
        n_bands: int,
        depth: int = 12,
        channels: Sequence[int] = (256, 384, 384),
        pools: Sequence[int] = (4, 4),
        pyramid: bool = False,
    ) -> None:
        super().__init__()
        check_option("encoder resnet1d", "depth", depth, BLOCKS)
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
        padded, valid = padding(valid, features)
        x = self.conv(kept(self.start(features), valid if padded else None))
        maps: list[tuple[Tensor, Tensor]] = []
        for stage, pool in zip(self.stages, (1, *self.pools), strict=True):
            n = valid.shape[1] // pool
            x, valid = nn.functional.max_pool1d(x, pool), valid[:, : n * pool].reshape(-1, n, pool).all(2)
            for block in stage:  # type: ignore[attr-defined]
                x = block(x, valid if padded else None)
            maps.append((x, valid))
        x = torch.relu(self.end(x))
        levels = () if self.pyramid is None else self.pyramid(maps, x)
        return Encoded(x.transpose(1, 2), valid, levels)


def _block(depth: int, inputs: int, channels: int, first: bool) -> nn.Module:
    return Plain(inputs, channels) if depth == 8 else Residual(inputs, channels, first)
