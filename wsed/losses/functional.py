"""The losses as pure functions of tensors, for any training loop.

Frame scores are `[clip frame label]` probabilities, tags `[clip label]`; `valid [clip frame]` and `tagged [clip
label]` say what counts. Each returns a 0-d mean that is exact over ranks.
"""

from wsed.losses.bce import clip_bce, false_strong, frame_bce
from wsed.losses.class_weights import class_weights
from wsed.losses.cosine_penalty import cosine_penalty
from wsed.losses.fpd import fpd
from wsed.losses.kl_penalty import kl_penalty
from wsed.losses.micro import micro
from wsed.losses.mil import mil, mmm
from wsed.losses.plat import plat
from wsed.losses.prototypical import prototypical
from wsed.losses.triplet import triplet

__all__ = [
    "class_weights",
    "clip_bce",
    "cosine_penalty",
    "false_strong",
    "fpd",
    "frame_bce",
    "kl_penalty",
    "micro",
    "mil",
    "mmm",
    "plat",
    "prototypical",
    "triplet",
]
