"""Schedules: weights of losses that change over optimiser steps."""

import math
from typing import Literal

from wsed.errors import WsedError
from wsed.literals import checked


class Schedule:
    """Base class of schedules: functions from an optimiser step to a number.

    >>> class Halving(Schedule):
    ...     def __call__(self, step: int) -> float:
    ...         return 0.5**step
    >>> Halving()(2)
    0.25
    """

    def __call__(self, step: int) -> float:
        """The value at an optimiser step; steps count from 0."""
        raise NotImplementedError


@checked
class Ramp(Schedule):
    """Changes from one value to another over the first steps of training and then stays constant.

    Consistency losses use it, since the first predictions of a teacher are useless.

    Args:
        to: the final value.
        steps: number of optimiser steps to the final value.
        start: the value at step 0.
        shape: `linear`, or `exponential`: after the share `t` of the steps, `exp(-5 (1 - t)^2)` of the change is made
            (Laine & Aila 2017).

    Raises:
        WsedError: `steps` is below 1, or the shape is unknown.

    >>> [Ramp(2.0, steps=4)(step) for step in (0, 1, 4, 9)]
    [0.0, 0.5, 2.0, 2.0]
    """

    def __init__(
        self, to: float, steps: int, start: float = 0.0, shape: Literal["linear", "exponential"] = "linear"
    ) -> None:
        if steps < 1:
            raise WsedError(f"a ramp needs 1 step or more, not {steps}")
        self.to, self.steps, self.start, self.shape = to, steps, start, shape

    def __call__(self, step: int) -> float:
        t = min(step / self.steps, 1.0)
        share = t if self.shape == "linear" else math.exp(-5 * (1 - t) ** 2)
        return self.start + share * (self.to - self.start)
