"""Clips kept out of training, to validate on, where a corpus has no validation table."""

import math
import random
from collections import Counter
from collections.abc import Sequence

from wsed.data.table import Clip


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
    counts = Counter(label for clip in clips for label in _tags(clip))
    draw = random.Random(seed)
    held: set[int] = set()
    free = list(range(len(clips)))
    for label in [*sorted(counts, key=lambda name: (counts[name], name)), None]:
        mine = [i for i in free if label is None or label in _tags(clips[i])]
        taken = sum(label in _tags(clips[i]) for i in held)
        wanted = round(share * (len(mine) if label is None else counts[label])) - taken
        held.update(draw.sample(mine, min(max(wanted, 0), len(mine))))
        settled = set(mine)
        free = [i for i in free if i not in settled]
    return [c for i, c in enumerate(clips) if i not in held], [c for i, c in enumerate(clips) if i in held]


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
