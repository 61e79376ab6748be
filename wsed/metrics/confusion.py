"""Which class is taken for which: reference and detected events paired across labels."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from wsed.metrics.events import pair_up
from wsed.types import Events


@dataclass(frozen=True)
class Confusion:
    """How often each class was detected as each.

    Attributes:
        pairs: row: class of the reference event; column: class of the detected event paired with it. The diagonal
            holds the hits of `event_counts`, and the rest adds up to its substitutions `n_sub`.
        missed: reference events paired with none; `pairs.sum(1) + missed` is `n_ref`.
        false: detected events paired with none; `pairs.sum(0) + false` is `n_sys`.
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
    """Class confusion of events under collars (arguments as `event_counts`).

    Events of equal label are matched first, as many as possible; what is left over on both sides is then paired across
    labels, inside the collars, first come, first served. An event is in one pair at most.

    Raises:
        WsedError: a label outside the label axis, or a negative collar.
    """
    found = pair_up(reference, estimated, n_labels, onset_collar, offset_collar, offset_ratio, collar_eps)
    left, extra, (r, e) = found.left, found.extra, found.crossed
    cells = np.concatenate([found.ref.label[found.hit] * (n_labels + 1), left.label[r] * n_labels + extra.label[e]])
    missed = np.bincount(left.label, minlength=n_labels) - np.bincount(left.label[r], minlength=n_labels)
    false = np.bincount(extra.label, minlength=n_labels) - np.bincount(extra.label[e], minlength=n_labels)
    return Confusion(np.bincount(cells, minlength=n_labels**2).reshape(n_labels, n_labels), missed, false)
