"""The embedding network of Turpault et al. 2020: one embedding per 20 frames of the features."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, Encoder
from wsed.models.encoders.blocks import one_channel
from wsed.ops.dropout import Dropout
from wsed.ops.grid import padding
from wsed.types import Encoded

WINDOW = 20
"""Frames per embedding: 200 ms at 100 frames per second."""

CHANNELS = (16, 16, 32, 65)
POOLS = ((2, 2), (2, 2), (1, 4), (1, 2))
"""`(time, band)` pooling after each convolution."""


@ENCODERS.register("waa")
class WAA(Encoder):
    """Four convolutions on each window of 20 frames, then the mean over the 5 time steps that pooling leaves.

    Windows do not overlap, and frames after the last whole window are not used. With 64 bands there are 130
    dimensions and 25,905 parameters, as in the authors' code. Use it with the frontend `standardised`. Initial weights
    are the defaults of torch.

    Args:
        n_bands: number of bands of the features, 32 or more.
        normalize_steps: L2-normalise each time step before the mean, an option of the authors' code.
        dropout: dropout after each convolution.
        channels: channels of the four convolutions.

    Raises:
        WsedError: there are too few bands or not four channels; in `forward`: clips are shorter than one window.

    >>> WAA(n_bands=64)(torch.randn(2, 64, 40), None).frames.shape
    torch.Size([2, 2, 130])
    """

    stride = WINDOW

    def __init__(
        self, n_bands: int, normalize_steps: bool = False, dropout: float = 0.2, channels: Sequence[int] = CHANNELS
    ) -> None:
        super().__init__()
        if len(channels) != len(POOLS) or min(channels) < 1:
            raise WsedError(f"encoder waa: channels are four numbers of 1 or more, not {list(channels)}")
        layers: list[nn.Module] = []
        inputs, bands = 1, n_bands
        for outputs, pool in zip(channels, POOLS, strict=True):
            # LeakyReLU is published right after the convolution; the result is the same, and here its input is smaller
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), Dropout(dropout)]
            layers += [nn.MaxPool2d(pool), nn.LeakyReLU(0.2)]
            inputs, bands = outputs, bands // pool[1]
        if bands < 1:
            raise WsedError(f"encoder waa: its pools leave nothing of {n_bands} bands; use 32 bands or more")
        # with channels innermost in memory, a training step takes two thirds of the time on a CPU
        self.layers = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.dim = inputs * bands
        self.normalize_steps = normalize_steps

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        clips, n = features.shape[0], features.shape[2] // WINDOW
        if n == 0:
            raise WsedError(f"encoder waa: {features.shape[2]} frames are less than one window of {WINDOW}")
        windows = features[:, :, : n * WINDOW].transpose(1, 2)
        x: Tensor = self.layers(one_channel(windows.reshape(clips * n, WINDOW, -1)))
        steps = x.permute(0, 2, 3, 1).flatten(2)  # [window step dim], bands outermost in dim
        if self.normalize_steps:
            steps = F.normalize(steps.float(), dim=2)
        _, valid = padding(valid, features)
        whole = valid[:, : n * WINDOW].reshape(clips, n, WINDOW).all(2)
        return Encoded(steps.mean(1).reshape(clips, n, self.dim), whole)
