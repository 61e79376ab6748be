"""The embedding network of Turpault et al. 2020: one embedding every 20 frames."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, Encoder
from wsed.ops.dropout import Dropout
from wsed.ops.grid import padding
from wsed.types import Encoded

WINDOW = 20
"""Frames of an embedding: 200 ms at 100 frames per second."""

CHANNELS = (16, 16, 32, 65)
POOLS = ((2, 2), (2, 2), (1, 4), (1, 2))
"""`(time, band)`, after each convolution."""


@ENCODERS.register("waa")
class WAA(Encoder):
    """Four convolutions over windows of 20 frames, each window by itself, then the mean over the 5 steps left of it.

    From 64 bands 130 dimensions and 25,905 parameters, as in the authors' code. Its features are those of the frontend
    `standardised`. Frames after the last whole window are left out. Weights start as torch's own layers do.

    Args:
        n_bands: of the features, 32 or more.
        normalize_steps: L2-normalise each step before the mean, an option of the authors' code.
        dropout: after each convolution.
        channels: of the four convolutions.

    Raises:
        WsedError: too few bands, or not four numbers of channels; in use, clips of less than one window.
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
            # LeakyReLU, which was published as the first, commutes with the others and has less to do as the last
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), Dropout(dropout)]
            layers += [nn.MaxPool2d(pool), nn.LeakyReLU(0.2)]
            inputs, bands = outputs, bands // pool[1]
        if bands < 1:
            raise WsedError(f"encoder waa: its pools leave nothing of {n_bands} bands; give 32 or more, the paper's 64")
        # channels innermost in memory: a step takes two thirds of the time on a CPU
        self.layers = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.dim = inputs * bands
        self.normalize_steps = normalize_steps

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        clips, n = len(features), features.shape[2] // WINDOW
        if n == 0:
            raise WsedError(f"encoder waa: {features.shape[2]} frames are less than one window of {WINDOW}")
        windows = features[:, :, : n * WINDOW].transpose(1, 2)
        x: Tensor = self.layers(windows.reshape(clips * n, 1, WINDOW, -1))
        steps = x.permute(0, 2, 3, 1).flatten(2)  # [window step dim], bands outermost in dim
        if self.normalize_steps:
            steps = F.normalize(steps.float(), dim=2)
        _, valid = padding(valid, features)
        whole = valid[:, : n * WINDOW].reshape(clips, n, WINDOW).all(2)
        return Encoded(steps.mean(1).reshape(clips, n, self.dim), whole)
