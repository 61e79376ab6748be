"""Learning rate schedules that torch has no name for."""

from bisect import bisect_right
from collections.abc import Mapping

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from wsed.errors import WsedError


class Piecewise(LambdaLR):
    """Constant rates from given epochs on, as papers write them: `{0: 1e-3, 30: 5e-4, 60: 1e-4}`.

    Args:
        optimizer: its own rate gives way to these, in all parameter groups.
        rates: learning rate by the first epoch (from 0) that has it; must name epoch 0.

    Raises:
        WsedError: epoch 0 has no rate, or a rate is not positive.
    """

    def __init__(self, optimizer: Optimizer, rates: Mapping[int, float]) -> None:
        epochs = sorted(rates)
        if not epochs or epochs[0] != 0 or not all(rate > 0 for rate in rates.values()):
            raise WsedError(f"rates must be positive and start at epoch 0, not {dict(rates)}")
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] = 1.0

        def rate(epoch: int) -> float:
            return rates[epochs[bisect_right(epochs, epoch) - 1]]

        super().__init__(optimizer, rate)
