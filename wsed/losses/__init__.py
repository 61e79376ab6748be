"""Losses as classes; `wsed.losses.functional` has the same losses as pure functions of tensors."""

from typing import TYPE_CHECKING

from wsed.lazy import lazy

if TYPE_CHECKING:
    from wsed.losses import functional
    from wsed.losses.asymmetric_focal import AsymmetricFocal
    from wsed.losses.base import LOSSES, Loss, Weighted
    from wsed.losses.bce import ClipBCE, FalseStrong, FrameBCE
    from wsed.losses.class_weights import ClassWeights
    from wsed.losses.consistency import Consistency, InterpolationConsistency
    from wsed.losses.cosine_penalty import CosinePenalty
    from wsed.losses.fpd import FPD
    from wsed.losses.kl_penalty import KLPenalty
    from wsed.losses.metric_learning import MetricLearning
    from wsed.losses.micro import Micro
    from wsed.losses.mil import MIL, MMM
    from wsed.losses.plat import PLAT
    from wsed.losses.prototypical import Prototypical
    from wsed.losses.triplet import Triplet
else:
    __getattr__, __dir__ = lazy(__name__, "loss")

__all__ = [
    "FPD",
    "LOSSES",
    "MIL",
    "MMM",
    "PLAT",
    "AsymmetricFocal",
    "ClassWeights",
    "ClipBCE",
    "Consistency",
    "CosinePenalty",
    "FalseStrong",
    "FrameBCE",
    "InterpolationConsistency",
    "KLPenalty",
    "Loss",
    "MetricLearning",
    "Micro",
    "Prototypical",
    "Triplet",
    "Weighted",
    "functional",
]
