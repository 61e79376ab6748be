"""Random polarity."""

from dataclasses import replace

import torch

from wsed.augment.base import AUGMENTS, Augment
from wsed.augment.draws import check_chance, chosen
from wsed.types import Batch


@AUGMENTS.register("reverse_polarity")
class ReversePolarity(Augment):
    """Inverts the sign of the waveform of a clip, which sounds the same; labels do not change.

    Args:
        p: probability that a clip is inverted.

    Raises:
        WsedError: `p` is not from 0 to 1.

    >>> from wsed.testing import batch
    >>> inputs = batch()
    >>> bool((ReversePolarity(p=1.0)(inputs, torch.Generator()).audio == -inputs.audio).all())
    True
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        check_chance("reverse_polarity", p)
        self.p = p

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        inverted = chosen(len(batch), self.p, generator)
        return replace(batch, audio=torch.where(inverted[:, None], -batch.samples(), batch.samples()))
