"""The losses as pure functions of tensors, for any training loop.

Frame scores are probabilities `[clip frame label]`, and tags are `[clip label]`. The masks `valid [clip frame]` and
`tagged [clip label]` select what counts. Each function returns a 0-d mean that is exact over ranks. The function of a
registered loss has the name of the loss and is found by it.

>>> import torch
>>> from wsed.losses import functional
>>> functional.clip_bce(torch.tensor([[0.9, 0.1]]), torch.tensor([[1.0, 0.0]]))
tensor(0.1054)
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsed.losses.asymmetric_focal import asymmetric_focal as asymmetric_focal
    from wsed.losses.bce import clip_bce as clip_bce
    from wsed.losses.bce import false_strong as false_strong
    from wsed.losses.bce import frame_bce as frame_bce
    from wsed.losses.class_weights import class_weights as class_weights
    from wsed.losses.consistency import consistency as consistency
    from wsed.losses.cosine_penalty import cosine_penalty as cosine_penalty
    from wsed.losses.fpd import fpd as fpd
    from wsed.losses.kl_penalty import kl_penalty as kl_penalty
    from wsed.losses.micro import micro as micro
    from wsed.losses.mil import mil as mil
    from wsed.losses.mil import mmm as mmm
    from wsed.losses.plat import plat as plat
    from wsed.losses.prototypical import prototypical as prototypical
    from wsed.losses.triplet import triplet as triplet
else:

    def __getattr__(name):
        functions = _functions()
        if name not in functions:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return functions[name]

    def __dir__():
        return sorted({*globals(), *_functions()})

    def _functions():
        from wsed.losses.base import LOSSES
        from wsed.losses.class_weights import class_weights

        modules = {name: vars(sys.modules[LOSSES[name].__module__]) for name in LOSSES.names()}
        named = {name: module[name] for name, module in modules.items() if name in module}
        return named | {"class_weights": class_weights}
