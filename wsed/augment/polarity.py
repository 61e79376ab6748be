"""Random polarity."""

import numpy as np
import torch
from torch import Tensor

from wsed.augment.base import AUGMENTS, Planned
from wsed.augment.draws import arrays, check_chance
from wsed.types import Batch


@AUGMENTS.register("reverse_polarity")
class ReversePolarity(Planned):
    """Inverts the sign of the waveform of a clip, which sounds the same; labels do not change.

    Args:
        p: probability that a clip is inverted.

    Raises:
        WsedError: `p` is not from 0 to 1.

    Source: none; `p` is our choice: both signs are equally likely.

    >>> from wsed.testing import batch
    >>> inputs = batch()
    >>> bool((ReversePolarity(p=1.0)(inputs, torch.Generator()).audio == -inputs.audio).all())
    True
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        check_chance("reverse_polarity", p)
        self.p = p

    def plan(self, batch: Batch, generator: torch.Generator) -> tuple[Batch, tuple[Tensor, ...]]:
        (drawn,) = arrays(len(batch), [1], generator)
        return batch, (torch.from_numpy(np.where(drawn < self.p, np.float32(-1), np.float32(1))),)

    def change(self, signal: Tensor, *numbers: Tensor) -> Tensor:
        (sign,) = numbers
        return signal * sign.to(signal.dtype)
