"""Random changes of training batches."""

from typing import TYPE_CHECKING

from wsed.lazy import lazy

if TYPE_CHECKING:
    from wsed.augment.background import Background, Noise
    from wsed.augment.base import AUGMENTS, Augment, Compose
    from wsed.augment.filter_augment import FilterAugment
    from wsed.augment.frequency_warp import FrequencyWarp
    from wsed.augment.gain import Gain
    from wsed.augment.impulse_response import ImpulseResponse
    from wsed.augment.mixstyle import MixStyle
    from wsed.augment.mixup import Mixup
    from wsed.augment.polarity import ReversePolarity
    from wsed.augment.spec_masks import SpecAugment
    from wsed.augment.time_shift import TimeShift
else:
    __getattr__, __dir__ = lazy(__name__, "augment")

__all__ = [
    "AUGMENTS",
    "Augment",
    "Background",
    "Compose",
    "FilterAugment",
    "FrequencyWarp",
    "Gain",
    "ImpulseResponse",
    "MixStyle",
    "Mixup",
    "Noise",
    "ReversePolarity",
    "SpecAugment",
    "TimeShift",
]
