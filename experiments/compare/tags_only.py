"""FPD of clips of which only the tags are used, although the corpus has their events.

All rows of this folder read the same clips, which have events. `wsed.losses.fpd.FPD` takes their frame labels from the
events; `TagsOnlyFPD` makes them from the tags and the frame scores (WPS), as for weakly labelled clips.
"""

from dataclasses import replace

import torch
from torch import Tensor

from wsed.losses.fpd import FPD
from wsed.types import Batch, Output


class TagsOnlyFPD(FPD):
    """`wsed.losses.fpd.FPD` that does not see events; arguments as there."""

    def forward(self, output: Output, batch: Batch) -> Tensor:
        return super().forward(output, replace(batch, timed=torch.zeros_like(batch.timed)))
