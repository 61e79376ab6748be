"""Event-based scores: an event is found if its onset and offset lie within collars of a reference event.

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
    """Collar-based hits per class, each estimated event paired with at most one reference event.

    A pair may match if `|onset difference| <= onset_collar` and
    `|offset difference| <= max(offset_collar, offset_ratio * reference duration)`. Inside each clip and label as many
    pairs as possible are matched (maximum bipartite matching). The default collars are those of DCASE task 4.

    Args:
        reference: true events; clip indices mean the same clips in `estimated`.
        estimated: detected events.
        n_labels: size of the label axis.
        onset_collar: seconds.
        offset_collar: seconds; None: offsets are not compared (onset-only score) and `offset_ratio` has no effect.
        offset_ratio: share of the reference duration.
        collar_eps: seconds added to both collars. A difference of exactly 0.2 s, common where times are written with
            one decimal, is in or out by floating-point noise; 1e-6 counts all as in. 0 is what `sed_eval` does.

    Returns:
        Counts with `n_sub` as in `sed_eval`: left-over events of different labels that satisfy the collars, paired
        first come, first served in the order given. Where several largest matchings exist, they may leave different
        events over: `n_sub` then depends on the matching, all else does not.

    Raises:
        WsedError: a label outside the label axis, or a negative collar.
    """
    found = pair_up(reference, estimated, n_labels, onset_collar, offset_collar, offset_ratio, collar_eps)
    return Counts(
        tp=np.bincount(found.ref.label[found.hit], minlength=n_labels),
        n_ref=np.bincount(found.ref.label, minlength=n_labels),
        n_sys=np.bincount(found.est.label, minlength=n_labels),
        n_sub=len(found.crossed[0]),
    )


class Paired(NamedTuple):
    """Reference and estimated events, and which belong together.

    `hit` and `correct` say which events of `ref` and `est` are matched to one of equal label; `left` and `extra` are
    the others, and `crossed` indexes those of them that are paired across labels.
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
    """Match events of equal label, as many as possible; then pair what is left across labels, first come, first served.

    Arguments and errors as for `event_counts`.
    """
    if min(onset_collar, offset_collar or 0.0, offset_ratio, collar_eps) < 0:
        raise WsedError("collars must be 0 or more (seconds)")
    ref, est = columns(reference, n_labels), columns(estimated, n_labels)
    limits = (onset_collar, offset_collar, offset_ratio, collar_eps)
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
    """Pairs of equal key that satisfy the collars, ordered by reference event, then estimated event."""
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
    """Which reference and which estimated events a maximum matching uses.

    Args:
        ref, est: the admissible pairs.
        n_ref, n_est: number of events on either side.
    """
    found, correct = np.zeros(n_ref, dtype=bool), np.zeros(n_est, dtype=bool)
    alone = unshared(ref, est)
    found[ref[alone]] = True
    correct[est[alone]] = True
    graph: dict[int, list[int]] = {}
    for r, e in zip(ref[~alone].tolist(), est[~alone].tolist(), strict=True):
        graph.setdefault(e, []).append(r)
    mate = _maximum_matching(graph)
    found[list(mate.keys())] = True
    correct[list(mate.values())] = True
    return found, correct


def unshared(ref: Index, est: Index) -> Bool[np.ndarray, " pair"]:
    """Pairs whose two events are in no other pair: nearly all of them, and no search is needed."""
    if not ref.size:
        return np.zeros(0, dtype=bool)
    alone: Bool[np.ndarray, " pair"] = (np.bincount(ref)[ref] == 1) & (np.bincount(est)[est] == 1)
    return alone


def _maximum_matching(graph: dict[int, list[int]]) -> dict[int, int]:
    """Maximum bipartite matching `right -> left` of `{left: [right, ...]}`: greedy, then augmenting paths.

    Berge, Two theorems in graph theory, PNAS 43, 1957. Started greedily in the order of `graph`, as `sed_eval` does,
    so that the same events are left over in all but contrived cases.
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
    """Match `root` as well, if a path of alternately free and matched pairs leads to a free right node."""
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
            while True:  # walk back to the root, handing each right node over to the left node it was reached from
                giver = reached[right]
                mate[right] = giver
                previous = held.get(giver)
                held[giver] = right
                if previous is None:
                    return
                right = previous


def first_come(ref: Index, est: Index) -> tuple[Taken, Taken]:
    """The pairs taken when each, in order, is taken if both its events are still free."""
    taken = unshared(ref, est)
    used_ref: set[int] = set()
    used_est: set[int] = set()
    # Pairs whose events are in no other pair are nearly all of them; only the rest need their turn.
    for i in np.flatnonzero(~taken).tolist():
        r, e = int(ref[i]), int(est[i])
        if r not in used_ref and e not in used_est:
            used_ref.add(r)
            used_est.add(e)
            taken[i] = True
    return ref[taken], est[taken]
