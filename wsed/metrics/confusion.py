"""Confusion of classes: reference and detected events are paired across labels."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from wsed.metrics.events import pair_up
from wsed.types import Events


@dataclass(frozen=True)
class Confusion:
    """Numbers of paired and unpaired events of each class; confusions of several batches add up with `+`.

    Attributes:
        pairs: pairs of events, by the class of the reference event (row) and of the detected event (column). The
            diagonal has the hits of `event_counts`; the other entries add up to its `n_sub`.
        missed: reference events without a pair; `pairs.sum(1) + missed` is `n_ref`.
        false: detected events without a pair; `pairs.sum(0) + false` is `n_sys`.

    >>> one = Confusion(np.eye(2, dtype=int), np.array([1, 0]), np.array([0, 0]))
    >>> (one + one).missed.tolist()
    [2, 0]
    """

    pairs: Int[np.ndarray, "label label"]
    missed: Int[np.ndarray, " label"]
    false: Int[np.ndarray, " label"]

    def __add__(self, other: "Confusion") -> "Confusion":
        return Confusion(self.pairs + other.pairs, self.missed + other.missed, self.false + other.false)


def event_confusion(
    reference: Events,
    estimated: Events,
    n_labels: int,
    *,
    onset_collar: float = 0.2,
    offset_collar: float | None = 0.2,
    offset_ratio: float = 0.2,
    collar_eps: float = 0.0,
) -> Confusion:
    """Confusion of classes of events within collars; arguments as in `event_counts`.

    First, as many events of equal label as possible are matched. Then the other events are paired across labels, in
    the order given, if they satisfy the collars. Each event is in one pair at most.

    Raises:
        WsedError: a label is outside the label axis, or a collar is negative.

    >>> reference = Events.of([(0, 0, 1.0, 2.0)])
    >>> event_confusion(reference, Events.of([(0, 1, 1.0, 2.0)]), n_labels=2).pairs.tolist()
    [[0, 1], [0, 0]]
    """
    paired = pair_up(reference, estimated, n_labels, onset_collar, offset_collar, offset_ratio, collar_eps)
    left, extra, (r, e) = paired.left, paired.extra, paired.crossed
    cells = np.concatenate([paired.ref.label[paired.hit] * (n_labels + 1), left.label[r] * n_labels + extra.label[e]])
    missed = np.bincount(left.label, minlength=n_labels) - np.bincount(left.label[r], minlength=n_labels)
    false = np.bincount(extra.label, minlength=n_labels) - np.bincount(extra.label[e], minlength=n_labels)
    return Confusion(np.bincount(cells, minlength=n_labels**2).reshape(n_labels, n_labels), missed, false)
