"""The embedding network of Turpault et al. 2020: one embedding every 20 frames."""

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, Encoder
from wsed.types import Encoded

WINDOW = 20
"""Frames of an embedding: 200 ms of the paper's features."""

LAYERS = ((16, (2, 2)), (16, (2, 2)), (32, (1, 4)), (65, (1, 2)))
"""Channels, and `(time, band)` pooling, of each convolution."""


@ENCODERS.register("waa")
class WAA(Encoder):
    """Four convolutions over windows of 20 frames, each window by itself, then the mean over the 5 steps left of it.

    From 64 bands 130 dimensions and 25,905 parameters, as in the authors' code. Its features are those of the frontend
    `standardised`. Frames after the last whole window are left out. Weights start as torch's own layers do.

    Args:
        n_bands: of the features, 32 or more.
        normalize_steps: make each step one long before the mean, an option of the authors' code.
        dropout: after each convolution.

    Raises:
        WsedError: too few bands; in use, clips of less than one window.
    """

    stride = WINDOW

    def __init__(self, n_bands: int, normalize_steps: bool = False, dropout: float = 0.2) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs, bands = 1, n_bands
        for channels, pool in LAYERS:
            layers += [nn.Conv2d(inputs, channels, 3, padding=1), nn.LeakyReLU(0.2), nn.Dropout(dropout)]
            layers.append(nn.MaxPool2d(pool))
            inputs, bands = channels, bands // pool[1]
        if bands < 1:
            raise WsedError(f"encoder waa: its pools leave nothing of {n_bands} bands; give 32 or more, the paper's 64")
        self.layers = nn.Sequential(*layers)
        self.dim = inputs * bands
        self.normalize_steps = normalize_steps

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"]) -> Encoded:
        clips, n = len(features), features.shape[2] // WINDOW
        if n == 0:
            raise WsedError(f"encoder waa: {features.shape[2]} frames are less than one window of {WINDOW}")
        windows = features[:, :, : n * WINDOW].transpose(1, 2)
        x: Tensor = self.layers(windows.reshape(clips * n, 1, WINDOW, -1))
        steps = x.permute(0, 2, 3, 1).flatten(2)  # [window step dim], bands outermost in dim
        if self.normalize_steps:
            steps = F.normalize(steps.float(), dim=2)
        heard = valid[:, : n * WINDOW].reshape(clips, n, WINDOW).all(2)
        return Encoded(steps.mean(1).reshape(clips, n, self.dim), heard)
