"""The conformer: self-attention over the clip beside convolution over neighbouring frames."""

from collections.abc import Sequence

from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, Encoder
from wsed.models.encoders.blocks import ConvBlocks
from wsed.models.init import keras_init
from wsed.ops.grid import padding
from wsed.types import Encoded


def feed_forward(dim: int, dropout: float) -> nn.Sequential:
    """Layer norm, and two dense layers, four times as wide in between."""
    wide = 4 * dim
    return nn.Sequential(
        nn.LayerNorm(dim),
        nn.Linear(dim, wide),
        nn.SiLU(),
        nn.Dropout(dropout),
        nn.Linear(wide, dim),
        nn.Dropout(dropout),
    )


class Neighbours(nn.Module):
    """Layer norm, a gated dense layer, a convolution over time in each channel, batch norm, a dense layer."""

    def __init__(self, dim: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.gate = nn.Sequential(nn.Conv1d(dim, 2 * dim, 1), nn.GLU(1))
        self.over_time = nn.Sequential(
            nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim),
            nn.BatchNorm1d(dim),
            nn.SiLU(),
            nn.Conv1d(dim, dim, 1),
            nn.Dropout(dropout),
        )

    def forward(
        self, x: Float[Tensor, "clip frame dim"], valid: Bool[Tensor, "clip frame"] | None
    ) -> Float[Tensor, "clip frame dim"]:
        x = self.gate(self.norm(x).transpose(1, 2))
        if valid is not None:  # zero, as the convolution finds it beyond the end of a lone clip
            x = x * valid[:, None]
        changed: Tensor = self.over_time(x).transpose(1, 2)
        return changed


class ConformerBlock(nn.Module):
    """Half a feed-forward step, self-attention, convolution over time, the other half, layer norm.

    Equal to the layer of `torchaudio.models.Conformer`, which lets padding into its convolution.
    """

    def __init__(self, dim: int, heads: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.first = feed_forward(dim, dropout)
        self.norm = nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, dropout=dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.neighbours = Neighbours(dim, kernel, dropout)
        self.second = feed_forward(dim, dropout)
        self.last = nn.LayerNorm(dim)

    def forward(
        self, x: Float[Tensor, "clip frame dim"], valid: Bool[Tensor, "clip frame"] | None
    ) -> Float[Tensor, "clip frame dim"]:
        """Frames as they were, with their context; `valid` is None where all frames hold signal."""
        ignored = None
        if valid is not None:
            ignored = ~valid
            ignored[:, 0] = False  # a clip without a valid frame would attend to nothing, which is not a number
        x = x + 0.5 * self.first(x)
        normed = self.norm(x)
        x = x + self.dropout(self.attention(normed, normed, normed, ignored, need_weights=False)[0])
        x = x + self.neighbours(x, valid)
        ended: Tensor = self.last(x + 0.5 * self.second(x))
        return ended


@ENCODERS.register("conformer")
class Conformer(Encoder):
    """Convolution blocks that pool the bands, a dense layer, and conformer blocks.

    Gulati et al. 2020, "Conformer: convolution-augmented transformer for speech recognition", without relative
    positions: convolutions tell frames apart. Named as future work by Tao et al. 2023.

    Args:
        n_bands: of the features.
        dim: of the embeddings.
        layers: conformer blocks.
        heads: of the self-attention; a divisor of `dim`.
        kernel: frames that a convolution over time sees; odd.
        channels: of each convolution block.
        pools: `[time, band]` pooling of each convolution block; time pooling lowers the frame rate (`stride`).
        dropout: in the conformer blocks.

    Raises:
        WsedError: the kernel is even, `dim` is not a multiple of `heads`, or the pools leave nothing of the bands.

    >>> import torch
    >>> Conformer(n_bands=64)(torch.randn(2, 64, 20), None).frames.shape
    torch.Size([2, 20, 144])
    """

    def __init__(
        self,
        n_bands: int,
        dim: int = 144,
        layers: int = 3,
        heads: int = 4,
        kernel: int = 7,
        channels: int = 32,
        pools: Sequence[Sequence[int]] = ((1, 4), (1, 4)),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if kernel % 2 == 0 or dim % heads:
            raise WsedError(f"encoder: kernel {kernel} must be odd, dim {dim} a multiple of heads {heads}")
        self.blocks = ConvBlocks(n_bands, channels, pools)
        self.dim, self.stride = dim, self.blocks.stride
        self.dense = nn.Linear(self.blocks.dim, dim)
        self.layers = nn.ModuleList(ConformerBlock(dim, heads, kernel, dropout) for _ in range(layers))
        keras_init(self)

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        padded, _ = padding(valid, features)
        x, valid = self.blocks(features, valid)
        x = self.dense(x)
        for layer in self.layers:
            x = layer(x, valid if padded else None)
        return Encoded(x, valid)
