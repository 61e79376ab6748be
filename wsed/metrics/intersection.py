"""Intersection-based scores: what counts is how many seconds detections and reference events share, not their borders.

Bilen, Ferroni, Tuveri, Azcarreta, Krstulovic: A framework for the robust evaluation of sound event detection, ICASSP
2020, section 2. One detection or one event may be in several pieces on the other side.

Seconds are compared after rounding to microseconds, as `sed_scores_eval` does, so that a share of exactly 0.7 counts as
0.7 whatever the floating-point noise. `decimals=None` does not round and compares shares: what `psds_eval` does.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from wsed.errors import WsedError
from wsed.metrics.counts import Counts
from wsed.metrics.pairs import Columns, columns, ranges
from wsed.types import Events

DECIMALS = 6


class Criteria(NamedTuple):
    """Shares that must be reached, see `intersection_counts` and `cross_triggers`; `cttc` None: no cross triggers."""

    dtc: float
    gtc: float
    cttc: float | None = None
    decimals: int | None = DECIMALS

    def reached(
        self, share: float, seconds: Float[np.ndarray, " n"], length: Float[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """Whether `seconds` are at least `share` of `length`."""
        if self.decimals is None:
            bare: Bool[np.ndarray, " n"] = seconds / length >= share
            return bare
        return np.round(seconds, self.decimals) >= np.round(share * length, self.decimals)


class Shared(NamedTuple):
    """What detections share with the reference.

    `relevant` detections pass the DTC; the others are false alarms. `pair_*` hold one entry per relevant detection and
    reference event of its label that overlap. `group_*` hold one entry per detection and label with reference events
    in its clip, ordered by detection, then label; `crossed` says which of them are cross triggers.
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
    """Hits per class by intersection. The defaults are those of the DESED baselines.

    * Detection tolerance (DTC): a detection is relevant if events of its label cover at least `dtc` of it; else it is a
      false alarm.
    * Ground truth intersection (GTC): an event is found if relevant detections of its label cover at least `gtc` of it.

    Events of one class in one clip are taken not to overlap: seconds they share would count twice. Events that last 0 s
    are left out on both sides, as in `psds_eval`.

    The F1 of each class is that of `psds_eval` 0.5.3 and `sed_scores_eval` 0.0.4. Three conventions differ:
    `psds_eval` has a 0/0, left out of its macro mean, where a class has reference but no hit (here 0, see `Counts`);
    it does not round, so that a share of exactly `dtc` passes or fails by floating-point noise (nor does
    `decimals=None`); and it ignores detections outside their clip. `sed_scores_eval` refuses classes without reference.

    Args:
        reference: true events; clip indices mean the same clips in `estimated`.
        estimated: detected events.
        n_labels: size of the label axis.
        dtc: share of the detection, in (0, 1].
        gtc: share of the reference event, in (0, 1].
        decimals: of a second, to which seconds are rounded before they are compared; None: no rounding.

    Returns:
        Counts with `tp` events found and `n_sys` = `tp` + false alarms; a detection that is relevant to an event that
        is not found is neither. `n_sub` is 0: cross triggers are not paired with misses (see `cross_triggers`).

    Raises:
        WsedError: a label outside the label axis, or a share outside (0, 1].
    """
    check_shares(dtc=dtc, gtc=gtc)
    ref, est = sort_reference(lasting(columns(reference, n_labels))), lasting(columns(estimated, n_labels))
    criteria = Criteria(dtc, gtc, None, decimals)
    shared = share(ref, est, n_labels, criteria)
    covered = summed(shared.pair_event, shared.pair_seconds, ref.clip.size)
    found = criteria.reached(gtc, covered, ref.offset - ref.onset)
    tp = np.bincount(ref.label[found], minlength=n_labels)
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
    """How many false alarms of one class (row) lie on events of another (column); 0 on the diagonal.

    A false alarm, as in `intersection_counts`, crosses a label if its events cover at least `cttc` of it (cross trigger
    tolerance). It may cross several labels. These are the counts of `psds_eval` and `sed_scores_eval`.

    Args:
        reference: true events; clip indices mean the same clips in `estimated`.
        estimated: detected events.
        n_labels: size of the label axis.
        dtc: share of the detection, in (0, 1].
        cttc: share of the detection, in (0, 1].
        decimals: as for `intersection_counts`.

    Raises:
        WsedError: a label outside the label axis, or a share outside (0, 1].
    """
    check_shares(dtc=dtc, cttc=cttc)
    ref, est = sort_reference(lasting(columns(reference, n_labels))), lasting(columns(estimated, n_labels))
    shared = share(ref, est, n_labels, Criteria(dtc, 1.0, cttc, decimals))
    cell = est.label[shared.group_detection] * n_labels + shared.group_label
    return np.bincount(cell[shared.crossed], minlength=n_labels**2).reshape(n_labels, n_labels)


def share(ref: Columns, est: Columns, n_labels: int, criteria: Criteria) -> Shared:
    """Compare detections with the events of their clips; `ref` as `sort_reference` gives it.

    Without `criteria.cttc` no cross triggers are looked for: the groups are then of the detections' own labels only.
    """
    key, event_key = (est.clip, ref.clip) if criteria.cttc else (c.clip * n_labels + c.label for c in (est, ref))
    # Detections of one clip mostly stand together: one search for each row of them.
    new = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: key.size])
    size = np.diff(new, append=key.size)
    d, r = ranges(*(np.repeat(np.searchsorted(event_key, key[new], side=s), size) for s in ("left", "right")))
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


def summed(place: Int[np.ndarray, " n"], amount: Float[np.ndarray, " n"], size: int) -> Float[np.ndarray, " size"]:
    """The amounts added up at each place of an array; float64 even if there are none."""
    return np.bincount(place, weights=amount, minlength=size).astype(np.float64, copy=False)


def sort_reference(ref: Columns) -> Columns:
    """By clip, then label, then onset."""
    return ref.take(np.lexsort((ref.onset, ref.label, ref.clip)))


def lasting(events: Columns) -> Columns:
    """Without the events that do not last."""
    return events.take(events.offset > events.onset)


def check_shares(**shares: float | None) -> None:
    """Refuse shares outside (0, 1]."""
    for name, value in shares.items():
        if value is not None and not 0 < value <= 1:
            raise WsedError(f"{name} is a share of an event and must lie in (0, 1], not {value}")
