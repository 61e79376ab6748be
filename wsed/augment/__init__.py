"""Random changes of training batches."""

from typing import TYPE_CHECKING

from wsed.lazy import lazy

if TYPE_CHECKING:
    from wsed.augment.base import AUGMENTS, Augment, Compose
    from wsed.augment.gain import Gain
else:
    __getattr__, __dir__ = lazy(__name__, "augment")

__all__ = ["AUGMENTS", "Augment", "Compose", "Gain"]
