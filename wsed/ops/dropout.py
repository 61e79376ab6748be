"""Dropout that is fast on a CPU."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class Dropout(nn.Module):
    """Zeroes random elements in training and scales up the others, as `nn.Dropout` does, but faster on a CPU.

    On a CPU it draws one random byte per element, where torch draws a whole number. The rate is therefore rounded to a
    multiple of 1/256 (0.2 becomes 0.1992), and the scale follows the rounded rate.

    Args:
        rate: share of the elements that become zero.

    >>> dropped = Dropout(0.25)(torch.ones(1000))
    >>> sorted({round(x, 3) for x in dropped.tolist()})
    [0.0, 1.333]
    """

    def __init__(self, rate: float = 0.2) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        limit = round(256 * self.rate)
        if not self.training or x.device.type != "cpu" or not 0 < limit < 256:
            return F.dropout(x, self.rate, self.training)
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        random_bytes = words.view(torch.uint8)[: x.numel()]
        # The mask is written as bytes: torch makes and converts bools ten times more slowly.
        keep = torch.ge(random_bytes, limit, out=random_bytes).to(x.dtype).mul_(256 / (256 - limit))
        return x * (keep.as_strided(x.shape, x.stride()) if _dense(x) else keep.view(x.shape))


def _dense(x: Tensor) -> bool:
    """Whether the strides fill the memory without gaps, in any order of the dimensions."""
    return x.is_contiguous() or (x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last))
