"""Intersection-based counts: detections and reference events are compared by the seconds they share.

Bilen, Ferroni, Tuveri, Azcarreta, Krstulovic: A framework for the robust evaluation of sound event detection, ICASSP
2020, section 2. A detection may cover several reference events, and several detections may cover one.

Seconds are rounded to microseconds before they are compared, as in `sed_scores_eval`, so that rounding errors do not
decide whether a share of exactly 0.7 is reached. `decimals=None` compares shares without rounding, as in `psds_eval`.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from wsed.errors import WsedError
from wsed.metrics.counts import Counts
from wsed.metrics.pairs import Columns, Index, columns, ranges
from wsed.types import Events

DECIMALS = 6


class Criteria(NamedTuple):
    """Shares that must be reached; see `intersection_counts` and `cross_triggers`.

    If `cttc` is None, cross triggers are not computed.

    >>> Criteria(dtc=0.5, gtc=0.5).reached(0.5, seconds=np.array([0.4, 0.5]), length=np.array([1.0, 1.0]))
    array([False,  True])
    """

    dtc: float
    gtc: float
    cttc: float | None = None
    decimals: int | None = DECIMALS

    def reached(
        self, share: float, seconds: Float[np.ndarray, " n"], length: Float[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """Whether `seconds` are more than 0, and at least `share` of `length`."""
        if self.decimals is None:
            exact: Bool[np.ndarray, " n"] = seconds / length >= share
            return exact
        # A tiny share of a short event rounds to 0 s, which an event without any overlap would reach.
        return (seconds > 0) & (np.round(seconds, self.decimals) >= np.round(share * length, self.decimals))


class Shared(NamedTuple):
    """Intersections of detections with reference events.

    `relevant` detections reach the DTC; the others are false alarms. `pair_*` have one entry per pair of a relevant
    detection and an overlapping reference event of its label. `group_*` have one entry per detection and label with
    reference events in its clip, ordered by detection, then label; entries without overlap may be left out. `crossed`
    is True for the cross triggers.
    """

    relevant: Bool[np.ndarray, " detection"]
    pair_detection: Int[np.ndarray, " pair"]
    pair_event: Int[np.ndarray, " pair"]
    pair_seconds: Float[np.ndarray, " pair"]
    group_detection: Int[np.ndarray, " group"]
    group_label: Int[np.ndarray, " group"]
    crossed: Bool[np.ndarray, " group"]


def intersection_counts(
    reference: Events,
    estimated: Events,
    n_labels: int,
    *,
    dtc: float = 0.5,
    gtc: float = 0.5,
    decimals: int | None = DECIMALS,
) -> Counts:
    """Count hits per class by intersection. The defaults are those of the DESED baselines.

    * Detection tolerance criterion (DTC): a detection is relevant if reference events of its label cover at least
      `dtc` of it; otherwise it is a false alarm.
    * Ground truth intersection criterion (GTC): a reference event is a hit if relevant detections of its label cover at
      least `gtc` of it.

    Events of one class in one clip must not overlap, since shared seconds would count twice; see
    `wsed.metrics.joined`. Events of 0 s are ignored on both sides, as in `psds_eval`.

    The F1 of each class equals that of `psds_eval` 0.5.3 and `sed_scores_eval` 0.0.4, with these exceptions:

    * If a class has reference but no hit, its F1 is 0 here (see `Counts`), while `psds_eval` computes 0/0 and leaves
      the class out of its macro mean.
    * `psds_eval` does not round, so that rounding errors decide about shares of exactly `dtc`; `decimals=None` does
      the same.
    * `psds_eval` ignores detections outside their clip.
    * `sed_scores_eval` refuses classes without reference.

    Args:
        reference: true events; clip indices mean the same clips in `estimated`.
        estimated: detected events.
        n_labels: size of the label axis.
        dtc: share of the detection, in (0, 1].
        gtc: share of the reference event, in (0, 1].
        decimals: number of decimals to which seconds are rounded before they are compared; None: no rounding.

    Returns:
        Counts in which `tp` are hit reference events and `n_sys` is `tp` plus false alarms. A relevant detection on a
        missed event counts as neither. `n_sub` is 0, since cross triggers are not paired with misses.

    Raises:
        WsedError: a label is outside the label axis, or a share is outside (0, 1].

    >>> reference, detected = Events.of([(0, 0, 1.0, 3.0)]), Events.of([(0, 0, 1.5, 3.5), (0, 0, 5.0, 6.0)])
    >>> counts = intersection_counts(reference, detected, n_labels=1)
    >>> counts.tp.tolist(), counts.n_sys.tolist()
    ([1], [2])
    """
    check_shares(dtc=dtc, gtc=gtc)
    ref, est = sort_reference(lasting(columns(reference, n_labels))), lasting(columns(estimated, n_labels))
    criteria = Criteria(dtc, gtc, None, decimals)
    shared = share(ref, est, n_labels, criteria)
    covered = summed(shared.pair_event, shared.pair_seconds, ref.clip.size)
    hit = criteria.reached(gtc, covered, ref.offset - ref.onset)
    tp = np.bincount(ref.label[hit], minlength=n_labels)
    false = np.bincount(est.label[~shared.relevant], minlength=n_labels)
    return Counts(tp=tp, n_ref=np.bincount(ref.label, minlength=n_labels), n_sys=tp + false)


def cross_triggers(
    reference: Events,
    estimated: Events,
    n_labels: int,
    *,
    dtc: float = 0.5,
    cttc: float = 0.3,
    decimals: int | None = DECIMALS,
) -> Int[np.ndarray, "label label"]:
    """Number of false alarms of each class (row) that lie on events of another class (column); 0 on the diagonal.

    A false alarm, as in `intersection_counts`, is a cross trigger of a label if events of that label cover at least
    `cttc` of it (cross trigger tolerance criterion). It may be a cross trigger of several labels. The counts equal
    those of `psds_eval` and `sed_scores_eval`.

    Args:
        reference: true events; clip indices mean the same clips in `estimated`.
        estimated: detected events.
        n_labels: size of the label axis.
        dtc: share of the detection, in (0, 1].
        cttc: share of the detection, in (0, 1].
        decimals: see `intersection_counts`.

    Raises:
        WsedError: a label is outside the label axis, or a share is outside (0, 1].

    >>> reference, detected = Events.of([(0, 0, 1.0, 3.0)]), Events.of([(0, 1, 1.0, 3.0)])
    >>> cross_triggers(reference, detected, n_labels=2).tolist()
    [[0, 0], [1, 0]]
    """
    check_shares(dtc=dtc, cttc=cttc)
    ref, est = sort_reference(lasting(columns(reference, n_labels))), lasting(columns(estimated, n_labels))
    shared = share(ref, est, n_labels, Criteria(dtc, 1.0, cttc, decimals))
    cell = est.label[shared.group_detection] * n_labels + shared.group_label
    return np.bincount(cell[shared.crossed], minlength=n_labels**2).reshape(n_labels, n_labels)


def share(ref: Columns, est: Columns, n_labels: int, criteria: Criteria, *, every: bool = False) -> Shared:
    """Intersect detections with the reference events of their clips.

    Without `criteria.cttc`, detections are compared only with events of their own label.

    Args:
        ref: reference events, sorted by `sort_reference`.
        est: detections.
        n_labels: size of the label axis.
        criteria: shares that must be reached.
        every: keep the groups without overlap, so that all detections of a clip have groups of the same labels.
    """
    d, r = _candidates(ref, est, n_labels, bool(criteria.cttc), every)
    seconds = np.minimum(est.offset[d], ref.offset[r]) - np.maximum(est.onset[d], ref.onset[r])
    np.maximum(seconds, 0.0, out=seconds)
    label = ref.label[r]
    same = label == est.label[d]
    own, length = summed(d[same], seconds[same], est.clip.size), est.offset - est.onset
    relevant = criteria.reached(criteria.dtc, own, length)
    hit = same & relevant[d] & (seconds > 0)
    first = np.ones(d.size, dtype=np.bool_)
    first[1:] = (d[1:] != d[:-1]) | (label[1:] != label[:-1])
    start = np.flatnonzero(first)
    detection, other = d[start], label[start]
    if criteria.cttc:
        total = np.add.reduceat(seconds, start) if start.size else seconds
        crossed = criteria.reached(criteria.cttc, total, length[detection]) & ~relevant[detection] & ~same[start]
    else:
        crossed = np.zeros(start.size, dtype=np.bool_)
    return Shared(relevant, d[hit], r[hit], seconds[hit], detection, other, crossed)


def _candidates(ref: Columns, est: Columns, n_labels: int, cross: bool, every: bool) -> tuple[Index, Index]:
    """Pairs of a detection and an event of its clip (of its label, unless `cross`), sorted by detection, then event.

    They include all pairs that overlap; also all others, if there are few pairs or with `every`.
    """
    key, event_key = (est.clip, ref.clip) if cross else (c.clip * n_labels + c.label for c in (est, ref))
    # Detections of a clip are mostly adjacent: one search per group of equal keys is enough.
    new = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: key.size])
    size = np.diff(new, append=key.size)
    low, high = (np.repeat(np.searchsorted(event_key, key[new], side=s), size) for s in ("left", "right"))
    if every or (high - low).sum() <= FEW * (est.clip.size + ref.clip.size):
        return ranges(low, high)
    return _near_in_time(ref, est, n_labels, low, high)


FEW = 16
"""Pairs per event up to which comparing all events of a clip costs less than a search for those that overlap."""


def _near_in_time(
    ref: Columns, est: Columns, n_labels: int, low: Int[np.ndarray, " detection"], high: Int[np.ndarray, " detection"]
) -> tuple[Index, Index]:
    """`_candidates` for clips with many events: per label only the events from the first to the last that may overlap.

    Args:
        ref, est, n_labels: as for `share`.
        low, high: per detection, the events of its clip (and label) are `low <= event < high`.
    """
    group = ref.clip * n_labels + ref.label
    first = np.flatnonzero(np.append(True, group[1:] != group[:-1]))  # of each clip and label
    last = np.append(first[1:], group.size)
    d, block = ranges(np.searchsorted(first, low, side="left"), np.searchsorted(first, high, side="left"))
    times = np.concatenate([ref.onset, ref.offset, est.onset, est.offset])
    # All groups on one time line, so far apart that no detection reaches the next group. Rounding only adds pairs.
    span = np.ptp(times) + 1.0
    base = (np.cumsum(np.append(True, group[1:] != group[:-1])) - 1) * span - times.min()
    reach = np.maximum.accumulate(ref.offset + base)
    slack = 4 * np.spacing(first.size * span)
    at = block * span - times.min()
    start = np.searchsorted(reach, est.onset[d] + at - slack, side="right")
    stop = np.searchsorted(ref.onset + base, est.offset[d] + at + slack, side="left")
    pair, r = ranges(np.maximum(start, first[block]), np.minimum(stop, last[block]))
    d = d[pair]
    overlaps = np.flatnonzero(np.minimum(est.offset[d], ref.offset[r]) > np.maximum(est.onset[d], ref.onset[r]))
    return d[overlaps], r[overlaps]


def summed(place: Int[np.ndarray, " n"], amount: Float[np.ndarray, " n"], size: int) -> Float[np.ndarray, " size"]:
    """Sum amounts by their index into an array of `size` entries; float64 even if there are none.

    >>> summed(np.array([0, 2, 2]), np.array([1.0, 2.0, 3.0]), size=4)
    array([1., 0., 5., 0.])
    """
    return np.bincount(place, weights=amount, minlength=size).astype(np.float64, copy=False)


def sort_reference(ref: Columns) -> Columns:
    """Events sorted by clip, then label, then onset."""
    return ref.take(np.lexsort((ref.onset, ref.label, ref.clip)))


def lasting(events: Columns) -> Columns:
    """The events with a duration above 0."""
    return events.take(events.offset > events.onset)


def check_shares(**shares: float | None) -> None:
    """Raise a `WsedError` if a share is outside (0, 1]; None is allowed."""
    for name, value in shares.items():
        if value is not None and not 0 < value <= 1:
            raise WsedError(f"{name} is a share of an event and must lie in (0, 1], not {value}")
