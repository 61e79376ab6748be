"""Clips kept out of training, to validate on, where a corpus has no validation table."""

import math
import random
from collections.abc import Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

from wsed.data.clip import Clip
from wsed.data.ragged import Ragged


def by_clip(clips: Sequence[Clip], share: float, seed: int = 0) -> tuple[list[Clip], list[Clip]]:
    """Training and validation clips, each in the order given; no clip is in both.

    A class at a time, the rarest first, the share of its clips goes to validation, chosen at random among those that
    no rarer class has settled. So every class has its share to the clip, but for common classes of which rarer ones
    take more along. Clips without tags are divided last.

    Args:
        clips: any clips, each once.
        share: part of the clips of each class for validation, 0 to 1.
        seed: of the choice.
    """
    names = sorted({label for clip in clips for label in _tags(clip)})
    index = {name: i for i, name in enumerate(names)}
    labels = Ragged.lists([index[label] for label in _tags(clip)] for clip in clips)
    held = held_out(labels, len(names), share, seed).tolist()
    train, validation = ([c for c, h in zip(clips, held, strict=True) if h == side] for side in (False, True))
    return train, validation


def held_out(labels: Ragged, n_labels: int, share: float, seed: int = 0) -> Bool[Tensor, " clip"]:
    """Which clips `by_clip` keeps for validation.

    Args:
        labels: of each clip, the indices of its classes.
        n_labels: classes in all; of equally rare ones the first goes first.
        share: part of the clips of each class for validation, 0 to 1.
        seed: of the choice.
    """
    members = labels.inverse(n_labels)
    counts = members.lengths.tolist()
    draw = random.Random(seed)
    held, free = (torch.full((len(labels),), value) for value in (False, True))
    everything = torch.arange(len(labels))
    for label in [*sorted(filter(counts.__getitem__, range(n_labels)), key=counts.__getitem__), None]:
        clips = everything[free] if label is None else members[label]
        mine = clips[free[clips]]
        wanted = round(share * len(clips)) - int(held[clips].sum())
        held[draw.sample(mine.tolist(), min(max(wanted, 0), len(mine)))] = True
        free[mine] = False
    return held


def by_class(clips: Sequence[Clip], share: float) -> tuple[list[Clip], list[Clip]]:
    """Training and validation entries as the published code makes them: not apart, and with repeats.

    Of each class the clips that hold it, in the order given, are cut: the first `share` is for validation, the rest for
    training. A clip with n tags is so entered n times, and may be in both. Clips without tags are in neither.

    Source: Pellegrini, Cances, IJCNN 2019, published code (rounding down is our guess).
    """
    train: list[Clip] = []
    held: list[Clip] = []
    for label in sorted({label for clip in clips for label in _tags(clip)}):
        mine = [clip for clip in clips if label in _tags(clip)]
        first = math.floor(share * len(mine) + 1e-9)  # 0.29 * 100 is a little less than 29
        held += mine[:first]
        train += mine[first:]
    return train, held


def _tags(clip: Clip) -> frozenset[str]:
    return clip.tags or frozenset()
