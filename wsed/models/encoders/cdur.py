"""The convolutional recurrent encoder of Dinkel et al. 2021, with weights trained on AudioSet, and its frontend."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, FRONTENDS, Frontend
from wsed.models.encoders.blocks import check_length
from wsed.models.encoders.pretrained import Pretrained, load_tensors, read_tensors, wrong_frontend
from wsed.models.frontends import LogMel
from wsed.models.init import to_read
from wsed.ops.grid import padding, whole_frames
from wsed.ops.recurrent import bidirectional
from wsed.spec import StartingWeights
from wsed.types import Encoded

BANDS = 64
"""Bands of the features; pooling leaves one of them."""

OUTPUT = "outputlayer."
"""Prefix of the weights of the head in a published file."""


@FRONTENDS.register("cdur")
class CDurFeatures(LogMel):
    """The features of the encoder `cdur`: `ln(mel + 2.2e-16)` of 64 bands at 22,050 Hz, 50 frames per second.

    >>> CDurFeatures().frame_rate
    50.0
    """

    def __init__(self) -> None:
        super().__init__(22050, 2048, 441, BANDS, 0.0, 11025.0, win_length=882, log_offset=2.2e-16)


@ENCODERS.register("cdur")
class CDur(Pretrained):
    """Five convolution blocks, power-average pooling and a bidirectional GRU: 256 values, 12.5 frames per second.

    The network of Dinkel, Wu & Yu 2021, "Towards duration robust weakly supervised sound event detection". Its authors
    publish weights for AudioSet's 527 classes (Dinkel et al. 2021, "Voice activity detection in the wild", files
    `teacher1.pth` and `teacher2.pth`); these need the frontend `cdur`. The layer of a file that computes the 527 scores
    is left out; `wsed import gpv` makes a model with it.

    Args:
        n_bands: number of bands of the features, 64 or more.
        pretrained: file with weights; random weights if None.
        freeze: do not train the weights; the encoder then stays in eval mode.
        dropout: dropout after the last block.

    Raises:
        WsedError: there are fewer than 64 bands, or the file holds other weights; in `forward`: the pools leave no
            frames.

    >>> CDur(n_bands=64)(torch.randn(2, 64, 20), None).frames.shape
    torch.Size([2, 5, 256])
    """

    dim, stride = 256, 4

    def __init__(
        self, n_bands: int, pretrained: StartingWeights = None, freeze: bool = False, dropout: float = 0.3
    ) -> None:
        super().__init__()
        if pretrained is not None and n_bands != BANDS:
            raise wrong_frontend("encoder cdur", CDurFeatures(), f"{n_bands} bands")
        if n_bands < BANDS:
            raise WsedError(f"encoder cdur: its pools leave nothing of {n_bands} bands; use {BANDS} or more")
        self.features = nn.ModuleList(
            [Block(1, 32), Pool(2), Block(32, 128), Block(128, 128), Pool(2), Block(128, 128), Block(128, 128), Pool(1)]
        )
        self.dropout = nn.Dropout(dropout)
        self.gru = nn.GRU(128 * (n_bands // BANDS), 128, batch_first=True, bidirectional=True)
        if (path := to_read(pretrained)) is not None:
            load_tensors(self, without_output(read_tensors(path)), path)
        self.begin(pretrained, freeze)

    def trained_with(self) -> Frontend | None:
        """The frontend `cdur` if there are pretrained weights."""
        return CDurFeatures() if self.pretrained else None

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        check_length(features, self.stride)
        padded, valid = padding(valid, features)
        x = features.transpose(1, 2)[:, None]
        for layer in self.features:
            x = layer(x, valid if padded else None)
            valid = whole_frames(valid, layer.size[0]) if isinstance(layer, Pool) else valid
        frames = self.dropout(x.transpose(1, 2).flatten(2))
        return Encoded(bidirectional(self.gru, frames, valid if padded else None), valid)


class Block(nn.Module):
    """Batch norm of the input, convolution without bias, leaky ReLU; named as in the published files.

    Args:
        inputs: number of input channels.
        channels: number of output channels.
    """

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.BatchNorm2d(inputs), nn.Conv2d(inputs, channels, 3, padding=1, bias=False))

    def forward(self, x: Float[Tensor, "clip channel frame band"], valid: Bool[Tensor, "clip frame"] | None) -> Tensor:
        norm, conv = self.block
        x = norm(x)
        if valid is not None:
            x = x * valid[:, None, :, None]  # as the zeros that a convolution adds at the end of a clip
        return F.leaky_relu(conv(x), 0.1)


class Pool(nn.Module):
    """Power-average pooling of norm 4, a sum as in `nn.LPPool2d`, over `time` frames and 4 bands.

    Args:
        time: number of frames.
    """

    def __init__(self, time: int) -> None:
        super().__init__()
        self.size = (time, 4)

    def forward(self, x: Float[Tensor, "clip channel frame band"], valid: Bool[Tensor, "clip frame"] | None) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # fourth powers do not fit half precision
            fourth = F.avg_pool2d(x.float().square().square(), self.size) * (self.size[0] * self.size[1])
            return fourth.clamp(min=1e-24).sqrt().sqrt()  # the root of 0 has no gradient


def without_output(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a published file without those of the head.

    >>> list(without_output({"gru.bias_hh_l0": torch.ones(1), "outputlayer.bias": torch.ones(1)}))
    ['gru.bias_hh_l0']
    """
    return {name: value for name, value in weights.items() if not name.startswith(OUTPUT)}
