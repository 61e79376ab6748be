"""Weights of losses that change over training: schedules over optimiser steps."""

import math
from typing import Literal

from wsed.errors import WsedError


class Schedule:
    """A number that changes over training."""

    def __call__(self, step: int) -> float:
        """The value at an optimiser step, from 0."""
        raise NotImplementedError


class Ramp(Schedule):
    """From one value to another over the first steps of training, and constant from there on.

    A consistency loss is weighted this way, since the teacher's first predictions are of no use.

    Args:
        to: the value at the end.
        steps: optimiser steps until then.
        start: the value at step 0.
        shape: `linear`, or `exponential`: `exp(-5 (1 - t)^2)` of the way at share `t` of the steps (Laine & Aila 2017).

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
        if shape not in ("linear", "exponential"):
            raise WsedError(f"a ramp's shape is linear or exponential, not {shape!r}")
        self.to, self.steps, self.start, self.shape = to, steps, start, shape

    def __call__(self, step: int) -> float:
        t = min(step / self.steps, 1.0)
        share = t if self.shape == "linear" else math.exp(-5 * (1 - t) ** 2)
        return self.start + share * (self.to - self.start)
