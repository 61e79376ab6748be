"""Learning rate schedules that torch does not have."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CyclicLR, LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from wsed.errors import WsedError
from wsed.literals import checked


class Piecewise(LambdaLR):
    """A learning rate that is constant between certain epochs: `{0: 1e-3, 30: 5e-4, 60: 1e-4}`.

    Args:
        optimizer: the optimiser; the rates replace its own rate in all parameter groups, so that parts of the network
            cannot have rates of their own.
        rates: learning rates by their first epoch, counted from 0; epoch 0 is needed.

    Raises:
        WsedError: epoch 0 has no rate, or a rate is not positive.

    >>> import torch
    >>> schedule = Piecewise(torch.optim.SGD([torch.zeros(1)]), {0: 0.1, 30: 0.01})
    >>> schedule.get_last_lr()
    [0.1]
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


@checked
class WarmUp(LambdaLR):
    """Rates that rise over the first steps and then fall, step by step; each parameter group keeps its own rate.

    Args:
        optimizer: its rates are the highest ones.
        warmup: steps until the highest rate.
        steps: steps of the whole training.
        shape: how rates rise and fall: `exponential` rises by `exp(-5 (1 - t)^2)` and stays (the DCASE baselines);
            `cosine` rises linearly and falls to `last` as half a cosine; `constant` rises linearly and stays; `falling`
            rises linearly and falls to `last` exponentially, by the same factor each step.
        last: share of the highest rate at the end, for `cosine` and `falling`; above 0 for `falling`.

    Raises:
        WsedError: a setting is out of its range.

    >>> from torch import nn, optim
    >>> schedule = WarmUp(optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1), warmup=2, steps=4)
    >>> [round(schedule.factor(step), 2) for step in range(5)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """

    interval = "step"

    def __init__(
        self,
        optimizer: Optimizer,
        warmup: int,
        steps: int,
        shape: Literal["cosine", "exponential", "constant", "falling"] = "cosine",
        last: float = 0.0,
    ) -> None:
        if not 0 <= warmup <= steps or steps < 1 or not 0 <= last <= 1:
            raise WsedError(
                f"schedule WarmUp: 0 <= warmup <= steps, 1 <= steps and 0 <= last <= 1 must hold, not warmup {warmup}, "
                f"steps {steps}, last {last:g}"
            )
        if shape == "falling" and last == 0:
            raise WsedError(
                "schedule WarmUp: shape falling needs last above 0, such as 0.01: an exponential is never 0"
            )
        self.warmup, self.steps, self.shape, self.last = warmup, steps, shape, last
        super().__init__(optimizer, lambda step: self.factor(step))  # a method would be saved with the state

    def state_dict(self) -> dict[str, object]:
        """The state without the settings, so that a training that is resumed with others takes those."""
        return _without_settings(super().state_dict())

    def load_state_dict(self, state_dict: dict[str, object]) -> None:
        """Go on from a state; the settings stay, also if those of an earlier version are in it."""
        super().load_state_dict(_without_settings(state_dict))

    def factor(self, step: int) -> float:
        """The share of the highest rate at a step, from 0."""
        if step < self.warmup:
            t = (step + 1) / self.warmup
            return math.exp(-5 * (1 - t) ** 2) if self.shape == "exponential" else t
        if self.shape in ("constant", "exponential"):
            return 1.0
        t = min((step - self.warmup) / max(1, self.steps - self.warmup), 1.0)
        if self.shape == "falling":
            return float(self.last**t)
        return self.last + (1 - self.last) * (1 + math.cos(math.pi * t)) / 2


def _without_settings(state: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in state.items() if name not in ("warmup", "steps", "shape", "last")}


def interval(scheduler: LRScheduler) -> str:
    """When a schedule takes its steps: `step` or `epoch`.

    >>> from torch import nn, optim
    >>> interval(Piecewise(optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1), {0: 0.1}))
    'epoch'
    """
    return scheduler.interval if isinstance(scheduler, WarmUp) else "epoch"


def check_schedule(scheduler: LRScheduler, own_rates: bool) -> None:
    """Refuse schedules that would not do what their settings say.

    Args:
        scheduler: the schedule.
        own_rates: whether parts of the network have learning rates of their own.

    Raises:
        WsedError: the schedule needs a metric, counts steps, or replaces the rates of the parts.
    """
    name = type(scheduler).__name__
    if isinstance(scheduler, ReduceLROnPlateau):
        raise WsedError("model.lr_scheduler: ReduceLROnPlateau is not supported, since schedules see no metric")
    if isinstance(scheduler, OneCycleLR | CyclicLR):
        raise WsedError(
            f"model.lr_scheduler: {name} counts steps, but schedules of torch are stepped once per epoch; use "
            "wsed.training.schedules.WarmUp, which rises and falls step by step"
        )
    if isinstance(scheduler, Piecewise) and own_rates:
        raise WsedError(
            "model.lr_scheduler: Piecewise sets one rate for all weights and would replace every lr of model.parts; "
            "use torch.optim.lr_scheduler.MultiStepLR, which multiplies the rate of each part"
        )
