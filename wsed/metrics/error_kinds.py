"""Kinds of errors of single events: what is right, what has a shifted border, and what is missed, false or confused.

The right events are those of `event_counts`. The others are explained one by one, so that each true and each detected
event has exactly one kind.
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from wsed.metrics.events import pair_up
from wsed.metrics.pairs import Columns
from wsed.types import Events

Kind = Literal["right", "shifted border", "wrong class", "missed", "false"]
KINDS: tuple[Kind, ...] = ("right", "shifted border", "wrong class", "missed", "false")
RIGHT, SHIFTED, WRONG, MISSED, FALSE = range(len(KINDS))
CONFUSED = 0.5
"""Intersection over union from which two events of different classes count as one event of a wrong class."""


class ErrorKinds(NamedTuple):
    """The kind of each event, as an index into `KINDS`."""

    reference: Int[np.ndarray, " ref"]
    detected: Int[np.ndarray, " est"]


def error_kinds(
    reference: Events,
    detected: Events,
    n_labels: int,
    *,
    onset_collar: float = 0.2,
    offset_collar: float | None = 0.2,
    offset_ratio: float = 0.2,
) -> ErrorKinds:
    """The kind of each true and each detected event.

    * right: matched within the collars, as in `event_counts`.
    * shifted border: a true and a detected event of one class that overlap, but not within the collars.
    * wrong class: a true and a detected event of different classes, of which the intersection is at least half of the
      union.
    * missed (true events) and false (detected events): the rest.

    Pairs are one to one; the pair with the greatest intersection over union comes first.

    Args:
        reference: true events.
        detected: detected events of the same clips.
        n_labels: size of the label axis.
        onset_collar, offset_collar, offset_ratio: see `event_counts`.

    Raises:
        WsedError: a label is outside the label axis, or a collar is negative.

    >>> reference = Events.of([(0, 0, 1.0, 2.0), (0, 1, 4.0, 6.0)])
    >>> kinds = error_kinds(reference, Events.of([(0, 0, 1.5, 3.0), (0, 0, 4.0, 6.0)]), n_labels=2)
    >>> [KINDS[kind] for kind in kinds.reference], [KINDS[kind] for kind in kinds.detected]
    (['shifted border', 'wrong class'], ['shifted border', 'wrong class'])
    """
    paired = pair_up(reference, detected, n_labels, onset_collar, offset_collar, offset_ratio, 0.0)
    ref = np.where(paired.hit, RIGHT, MISSED)
    est = np.where(paired.correct, RIGHT, FALSE)
    left, extra = np.flatnonzero(~paired.hit), np.flatnonzero(~paired.correct)
    for clip in np.intersect1d(paired.ref.clip[left], paired.est.clip[extra]):
        mine, theirs = left[paired.ref.clip[left] == clip], extra[paired.est.clip[extra] == clip]
        share = _shares(paired.ref.take(mine), paired.est.take(theirs))
        same = paired.ref.label[mine][:, None] == paired.est.label[theirs]
        for kind, allowed in ((SHIFTED, same & (share > 0)), (WRONG, ~same & (share >= CONFUSED))):
            open_ = allowed & (ref[mine] == MISSED)[:, None] & (est[theirs] == FALSE)
            for i, j in _one_to_one(np.where(open_, share, 0.0)):
                ref[mine[i]] = est[theirs[j]] = kind
    return ErrorKinds(ref, est)


def _shares(ref: Columns, est: Columns) -> Float[np.ndarray, "ref est"]:
    """Intersection over union of each pair of events."""
    onset, offset = ref.onset[:, None], ref.offset[:, None]
    shared = np.clip(np.minimum(offset, est.offset) - np.maximum(onset, est.onset), 0.0, None)
    union = np.maximum(offset, est.offset) - np.minimum(onset, est.onset)
    share: Float[np.ndarray, "ref est"] = shared / np.where(union > 0, union, 1.0)
    return share


def _one_to_one(share: Float[np.ndarray, "ref est"]) -> list[tuple[int, int]]:
    """The pairs with a positive share, the greatest first; each row and column at most once."""
    rows, columns = np.nonzero(share)
    order = np.argsort(-share[rows, columns], kind="stable")
    taken, others = dict[int, int](), set[int]()
    for i, j in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if i not in taken and j not in others:
            taken[i] = j
            others.add(j)
    return list(taken.items())
