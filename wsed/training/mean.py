"""`Mean`: the mean of a value over the batches of an epoch and over ranks."""

import torch
from torch import Tensor
from torchmetrics import Metric


class Mean(Metric):
    """The mean of a value over batches, weighted by their number of clips, and over ranks.

    Lightning would start anew when a training is resumed within an epoch; this mean is saved and goes on.

    >>> mean = Mean()
    >>> mean.update(torch.tensor(1.0), 3)
    >>> mean.update(torch.tensor(2.0), 1)
    >>> mean.compute()
    tensor(1.2500)
    """

    full_state_update = False
    sums: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("sums", torch.zeros(2), dist_reduce_fx="sum")  # of weighted values, and of weights

    def update(self, value: Tensor, clips: int | Tensor) -> None:
        """Add a batch; reads nothing from the device.

        Args:
            value: 0-d, such that its mean over ranks is the value of the batches of all ranks together.
            clips: number of clips, equal on all ranks.
        """
        value = value.detach().to(self.sums.dtype)
        self.sums = self.sums + torch.stack([value, torch.ones_like(value)]) * clips

    def compute(self) -> Tensor:
        """The mean so far."""
        return self.sums[0] / self.sums[1]
