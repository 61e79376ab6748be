"""Random loudness."""

import torch
from torch import Tensor

from wsed.augment.base import AUGMENTS, Planned
from wsed.augment.draws import arrays
from wsed.errors import WsedError
from wsed.types import Batch


@AUGMENTS.register("gain")
class Gain(Planned):
    """Amplifies each clip by a random gain in decibels, drawn uniformly; labels do not change.

    Args:
        low: lowest gain, dB.
        high: highest gain, dB.

    Raises:
        WsedError: `low` is not below `high`, or one is not finite.

    Source: none; the defaults are our choice: half to twice the amplitude.

    >>> from wsed.testing import batch
    >>> inputs = batch()
    >>> softer = Gain(-6.0, 0.0)(inputs, torch.Generator().manual_seed(0))
    >>> bool((softer.audio.abs() <= inputs.audio.abs()).all()), softer.events is inputs.events
    (True, True)
    """

    def __init__(self, low: float = -6.0, high: float = 6.0) -> None:
        super().__init__()
        if not -float("inf") < low < high < float("inf"):
            raise WsedError(f"augment gain: low must be below high, and both must be finite, not {low:g} and {high:g}")
        self.low, self.high = low, high

    def plan(self, batch: Batch, generator: torch.Generator) -> tuple[Batch, tuple[Tensor, ...]]:
        (drawn,) = arrays(len(batch), [1], generator)
        return batch, (torch.from_numpy(10 ** ((self.low + (self.high - self.low) * drawn) / 20)),)

    def change(self, signal: Tensor, *numbers: Tensor) -> Tensor:
        (by,) = numbers
        return signal * by.to(signal.dtype)
