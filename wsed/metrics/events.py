"""Event-based counts: a detected event is a hit if its onset and offset lie within collars of a reference event.

Mesaros, Heittola, Virtanen: Metrics for polyphonic sound event detection, Applied Sciences 6(6):162, 2016, section 3.2.
The numbers are those of `sed_eval` 0.2.1 with its default "optimal" matching.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from wsed.errors import WsedError
from wsed.metrics.counts import Counts
from wsed.metrics.pairs import Columns, Index, columns, near
from wsed.types import Events

Taken = Int[np.ndarray, " taken"]


class Collars(NamedTuple):
    """How far a detected event may be from a true one; see `event_counts`.

    Raises:
        WsedError: from `checked`, if a value is below 0 or not finite.

    >>> Collars(offset_collar=None).checked().onset_collar
    0.2
    """

    onset_collar: float = 0.2
    offset_collar: float | None = 0.2
    offset_ratio: float = 0.2
    collar_eps: float = 0.0

    def checked(self) -> "Collars":
        """Return the collars after checking that all are finite and none is below 0."""
        for name, value in self._asdict().items():
            if value is not None and not 0 <= value < float("inf"):
                raise WsedError(f"collars must be 0 or more (seconds) and finite, but {name} is {value}")
        return self


def event_counts(
    reference: Events,
    estimated: Events,
    n_labels: int,
    *,
    onset_collar: float = 0.2,
    offset_collar: float | None = 0.2,
    offset_ratio: float = 0.2,
    collar_eps: float = 0.0,
) -> Counts:
    """Count hits per class within collars; each detected event is paired with at most one reference event.

    A pair may match if `|onset difference| <= onset_collar` and
    `|offset difference| <= max(offset_collar, offset_ratio * reference duration)`. Within each clip and label, as many
    pairs as possible are matched (maximum bipartite matching). The default collars are those of DCASE task 4.

    Args:
        reference: true events; clip indices mean the same clips in `estimated`.
        estimated: detected events.
        n_labels: size of the label axis.
        onset_collar: seconds.
        offset_collar: seconds; if None, offsets are not compared and `offset_ratio` has no effect.
        offset_ratio: share of the duration of the reference event.
        collar_eps: seconds added to both collars. A difference of exactly 0.2 s is common where times have one decimal,
            and rounding then decides whether it is within the collar; 1e-6 counts it as a hit. `sed_eval` uses 0.

    Returns:
        Counts with `n_sub` as in `sed_eval`: unmatched events of different labels within the collars, paired in the
        order given. If there are several maximum matchings, only `n_sub` depends on which one is used.

    Raises:
        WsedError: a label is outside the label axis, or a collar is negative or not finite.

    >>> reference, detected = Events.of([(0, 0, 1.0, 2.0)]), Events.of([(0, 0, 1.1, 2.0), (0, 0, 5.0, 6.0)])
    >>> event_counts(reference, detected, n_labels=1).f1.round(3).tolist()
    [0.667]
    """
    paired = pair_up(reference, estimated, n_labels, onset_collar, offset_collar, offset_ratio, collar_eps)
    return Counts(
        tp=np.bincount(paired.ref.label[paired.hit], minlength=n_labels),
        n_ref=np.bincount(paired.ref.label, minlength=n_labels),
        n_sys=np.bincount(paired.est.label, minlength=n_labels),
        n_sub=len(paired.crossed[0]),
    )


class Paired(NamedTuple):
    """Reference and detected events, and how they are paired.

    Attributes:
        ref: reference events.
        est: detected events.
        hit: reference events that are matched to a detected event of equal label.
        correct: detected events that are matched to a reference event of equal label.
        left: the other reference events (misses).
        extra: the other detected events (false alarms).
        crossed: indices into `left` and `extra` of the pairs of different labels.
    """

    ref: Columns
    est: Columns
    hit: Bool[np.ndarray, " ref"]
    correct: Bool[np.ndarray, " est"]
    left: Columns
    extra: Columns
    crossed: tuple[Taken, Taken]


def pair_up(
    reference: Events,
    estimated: Events,
    n_labels: int,
    onset_collar: float,
    offset_collar: float | None,
    offset_ratio: float,
    collar_eps: float,
) -> Paired:
    """Match as many events of equal label as possible, then pair the others across labels in the order given.

    Arguments and errors as in `event_counts`.

    >>> reference, detected = Events.of([(0, 0, 1.0, 2.0)]), Events.of([(0, 1, 1.0, 2.0)])
    >>> pair_up(reference, detected, 2, 0.2, 0.2, 0.2, 0.0).crossed
    (array([0]), array([0]))
    """
    limits = Collars(onset_collar, offset_collar, offset_ratio, collar_eps).checked()
    ref, est = columns(reference, n_labels), columns(estimated, n_labels)
    equal = within(ref, est, ref.clip * n_labels + ref.label, est.clip * n_labels + est.label, *limits)
    hit, correct = match(*equal, ref.clip.size, est.clip.size)
    left, extra = ref.take(~hit), est.take(~correct)
    crossed = first_come(*within(left, extra, left.clip, extra.clip, *limits))
    return Paired(ref, est, hit, correct, left, extra, crossed)


def within(
    ref: Columns,
    est: Columns,
    ref_key: Int[np.ndarray, " ref"],
    est_key: Int[np.ndarray, " est"],
    onset_collar: float,
    offset_collar: float | None,
    offset_ratio: float,
    eps: float,
) -> tuple[Index, Index]:
    """Pairs of events with equal keys within the collars, ordered by reference event, then detected event."""
    r, e = near(ref_key, ref.onset, est_key, est.onset, onset_collar + eps)
    # Every comparison is written as sed_eval writes it: borderline pairs must fall on the same side.
    hit = np.flatnonzero(np.abs(ref.onset[r] - est.onset[e]) <= onset_collar + eps)
    r, e = r[hit], e[hit]
    if offset_collar is None:
        return r, e
    end = ref.offset[r]
    collar = np.maximum(offset_collar, offset_ratio * (end - ref.onset[r]))
    hit = np.flatnonzero(np.abs(end - est.offset[e]) <= collar + eps)
    return r[hit], e[hit]


def match(ref: Index, est: Index, n_ref: int, n_est: int) -> tuple[Bool[np.ndarray, " ref"], Bool[np.ndarray, " est"]]:
    """The reference and detected events that a maximum matching pairs, as two masks.

    Args:
        ref, est: indices of the events of each pair that may match.
        n_ref, n_est: number of reference and of detected events.

    >>> match(np.array([0, 0]), np.array([0, 1]), n_ref=1, n_est=2)[0]
    array([ True])
    """
    hit, correct = np.zeros(n_ref, dtype=bool), np.zeros(n_est, dtype=bool)
    alone = unshared(ref, est)
    hit[ref[alone]] = True
    correct[est[alone]] = True
    graph: dict[int, list[int]] = {}
    for r, e in zip(ref[~alone].tolist(), est[~alone].tolist(), strict=True):
        graph.setdefault(e, []).append(r)
    mate = _maximum_matching(graph)
    hit[list(mate.keys())] = True
    correct[list(mate.values())] = True
    return hit, correct


def unshared(ref: Index, est: Index) -> Bool[np.ndarray, " pair"]:
    """Mask of the pairs whose events are in no other pair; these need no search.

    >>> unshared(np.array([0, 1, 1]), np.array([0, 1, 2]))
    array([ True, False, False])
    """
    if not ref.size:
        return np.zeros(0, dtype=bool)
    alone: Bool[np.ndarray, " pair"] = (np.bincount(ref)[ref] == 1) & (np.bincount(est)[est] == 1)
    return alone


def _maximum_matching(graph: dict[int, list[int]]) -> dict[int, int]:
    """Maximum bipartite matching `right -> left` of `{left: [right, ...]}`: greedy, then augmenting paths.

    Berge, Two theorems in graph theory, PNAS 43, 1957. The greedy start follows the order of `graph`, as in `sed_eval`,
    so that the same events stay unmatched in all but contrived cases.
    """
    mate: dict[int, int] = {}
    waiting = []
    for left, rights in graph.items():
        free = next((right for right in rights if right not in mate), None)
        if free is None:
            waiting.append(left)
        else:
            mate[free] = left
    held = {left: right for right, left in mate.items()}
    for left in waiting:
        _augment(left, graph, mate, held)
    return mate


def _augment(root: int, graph: dict[int, list[int]], mate: dict[int, int], held: dict[int, int]) -> None:
    """Match `root` too, if a path of alternating unmatched and matched pairs leads to a free right node."""
    reached: dict[int, int] = {}
    queue = [root]
    for left in queue:
        for right in graph[left]:
            if right in reached:
                continue
            reached[right] = left
            if right in mate:
                queue.append(mate[right])
                continue
            while True:  # walk back to the root and match each right node to the left node that reached it
                before = reached[right]
                mate[right] = before
                previous = held.get(before)
                held[before] = right
                if previous is None:
                    return
                right = previous


def first_come(ref: Index, est: Index) -> tuple[Taken, Taken]:
    """Take each pair in order if both of its events are still free; returns the events of the pairs that are taken.

    >>> first_come(np.array([0, 0]), np.array([0, 1]))
    (array([0]), array([0]))
    """
    taken = unshared(ref, est)
    used_ref: set[int] = set()
    used_est: set[int] = set()
    # Nearly all pairs are unshared; only the others are visited in order.
    for i in np.flatnonzero(~taken).tolist():
        r, e = int(ref[i]), int(est[i])
        if r not in used_ref and e not in used_est:
            used_ref.add(r)
            used_est.add(e)
            taken[i] = True
    return ref[taken], est[taken]
