"""Which classes come together in clips."""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Int


def cooccurrence(tags: Iterable[frozenset[str]], labels: Sequence[str]) -> Int[np.ndarray, "label label"]:
    """How many clips hold both classes; on the diagonal, how many hold the class.

    Of the clips of one class only (`t for t in tags if "Dishes" in t`), it counts which two others come with it.

    Args:
        tags: the classes of each clip.
        labels: the classes counted, in the order of rows and columns; others are left out.
    """
    holds = np.array([[label in clip for label in labels] for clip in tags], dtype=np.int64)
    holds = holds.reshape(-1, len(labels))  # also without clips
    return np.asarray(holds.T @ holds)
