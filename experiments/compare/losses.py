"""Losses of the library, so that all rows of this folder read the same batches and see as much of them.

All clips have events. `wsed.losses.fpd.FPD` takes the frame labels of such clips from their events; `TagsOnlyFPD`
makes them from the tags and the frame scores (WPS), as for weakly labelled clips. The library's `Prototypical` asks for
batches balanced by class; `BatchPrototypical` takes the batches of the other rows.
"""

from dataclasses import replace

import torch
from torch import Tensor

from wsed.losses.fpd import FPD
from wsed.losses.prototypical import Prototypical
from wsed.types import Batch, Needs, Output


class TagsOnlyFPD(FPD):
    """`wsed.losses.fpd.FPD` that does not see events; arguments as there."""

    def forward(self, output: Output, batch: Batch) -> Tensor:
        return super().forward(output, replace(batch, timed=torch.zeros_like(batch.timed)))


class BatchPrototypical(Prototypical):
    """`wsed.losses.prototypical.Prototypical` for any batch: a support of each class, the other clips are queries."""

    def __init__(self) -> None:
        super().__init__(query=None)
        self.needs = Needs(output=self.needs.output, known=self.needs.known)
