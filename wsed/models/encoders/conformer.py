"""The conformer: blocks of self-attention over all frames and convolution over neighbouring frames."""

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
    """The feed-forward module: layer norm and two dense layers, the inner dimension four times as large.

    >>> feed_forward(dim=8, dropout=0.1)[1]
    Linear(in_features=8, out_features=32, bias=True)
    """
    wide = 4 * dim
    return nn.Sequential(
        nn.LayerNorm(dim),
        nn.Linear(dim, wide),
        nn.SiLU(),
        nn.Dropout(dropout),
        nn.Linear(wide, dim),
        nn.Dropout(dropout),
    )


class ConvolutionModule(nn.Module):
    """Layer norm, a gated dense layer, a depthwise convolution over time, batch norm, a dense layer.

    >>> import torch
    >>> ConvolutionModule(dim=8, kernel=3, dropout=0.1)(torch.zeros(2, 5, 8), None).shape
    torch.Size([2, 5, 8])
    """

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
        if valid is not None:  # zeros, like those that the convolution adds at the end of an unpadded clip
            x = x * valid[:, None]
        changed: Tensor = self.over_time(x).transpose(1, 2)
        return changed


class ConformerBlock(nn.Module):
    """Half a feed-forward module, self-attention, convolution, half a feed-forward module, layer norm.

    It computes the same as the layer of `torchaudio.models.Conformer`, except that padding does not enter the
    convolution.

    >>> import torch
    >>> ConformerBlock(dim=8, heads=2, kernel=3, dropout=0.1)(torch.zeros(2, 5, 8), None).shape
    torch.Size([2, 5, 8])
    """

    def __init__(self, dim: int, heads: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.first = feed_forward(dim, dropout)
        self.norm = nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, heads, dropout=dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.neighbours = ConvolutionModule(dim, kernel, dropout)
        self.second = feed_forward(dim, dropout)
        self.last = nn.LayerNorm(dim)

    def forward(
        self, x: Float[Tensor, "clip frame dim"], valid: Bool[Tensor, "clip frame"] | None
    ) -> Float[Tensor, "clip frame dim"]:
        """Frame embeddings with context, of the same shape; all frames hold signal if `valid` is None."""
        ignored = None
        if valid is not None:
            ignored = ~valid
            ignored[:, 0] = False  # a softmax over no frames would be NaN in a clip without valid frames
        x = x + 0.5 * self.first(x)
        normed = self.norm(x)
        x = x + self.dropout(self.attention(normed, normed, normed, ignored, need_weights=False)[0])
        x = x + self.neighbours(x, valid)
        result: Tensor = self.last(x + 0.5 * self.second(x))
        return result


@ENCODERS.register("conformer")
class Conformer(Encoder):
    """Convolution blocks that pool the bands, a dense layer, and conformer blocks.

    Gulati et al. 2020, "Conformer: convolution-augmented transformer for speech recognition", without relative
    position encoding. Tao et al. 2023 name it as future work.

    Args:
        n_bands: number of bands of the features.
        dim: dimension of the frame embeddings.
        layers: number of conformer blocks.
        heads: number of heads of the self-attention; a divisor of `dim`.
        kernel: width of the convolutions over time in frames, odd.
        channels: channels of each convolution block.
        pools: `[time, band]` pooling of each convolution block; time pooling lowers the frame rate (`stride`).
        dropout: dropout in the conformer blocks.

    Raises:
        WsedError: the kernel is even, `dim` is not a multiple of `heads`, or the pools leave no bands.

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
