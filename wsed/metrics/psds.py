"""Polyphonic sound detection score (PSDS): the area under the PSD-ROC, over all thresholds or from operating points.

Bilen, Ferroni, Tuveri, Azcarreta, Krstulovic: A framework for the robust evaluation of sound event detection, ICASSP
2020; over all thresholds, Ebbers, Serizel, Haeb-Umbach: Threshold-independent evaluation of sound event detection
scores, ICASSP 2022. The numbers equal those of `psds_eval` 0.5.3 (operating points) and `sed_scores_eval` 0.0.4
(scores).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.metrics.intersection import DECIMALS, Criteria, check_shares, lasting
from wsed.metrics.joined import joined
from wsed.metrics.pairs import columns
from wsed.metrics.psds_pruned import Pruned
from wsed.metrics.psds_reference import HOUR, Reference, Timed, check_clips, rates, without_unknown
from wsed.metrics.psds_resamples import Resampler, Rows
from wsed.metrics.roc import Changes, Curve, check_area, effective_curve
from wsed.metrics.sweep import ScoreGrid, changes_of_points, changes_of_scores
from wsed.types import Events
from wsed.values import Scores


@dataclass(frozen=True)
class PSDSParameters:
    """Criteria and weights of a PSDS. `PSDS1` and `PSDS2` are the two scenarios of DCASE task 4.

    `dataclasses.replace(PSDS1, alpha_st=0.0)` is the score without the penalty on the variance between classes.

    Args:
        dtc: share of a detection that reference events of its label must cover, in (0, 1].
        gtc: share of a reference event that detections must cover, in (0, 1].
        cttc: share of a false alarm that events of another label must cover to make it a cross trigger, in (0, 1].
        alpha_ct: weight of cross triggers, 0 or more; with 0, `cttc` has no effect.
        alpha_st: weight of the standard deviation between classes, 0 or more.
        max_efpr: effective false positives per hour up to which the area is computed.
        decimals: number of decimals to which seconds are rounded before they are compared. None, for operating points
            only: shares are compared without rounding, as in `psds_eval`. Rounding errors then decide about a share of
            exactly 0.7; on the DESED 2021 baseline that changes one event, and the PSDS by 6e-6.

    Raises:
        WsedError: a value is out of its range.

    >>> PSDSParameters(dtc=0.7, gtc=0.7, alpha_st=1.0).max_efpr
    100.0
    """

    dtc: float = 0.5
    gtc: float = 0.5
    cttc: float | None = 0.3
    alpha_ct: float = 0.0
    alpha_st: float = 0.0
    max_efpr: float = 100.0
    decimals: int | None = DECIMALS

    def __post_init__(self) -> None:
        check_shares(dtc=self.dtc, gtc=self.gtc, cttc=self.cttc)
        check_area(self.max_efpr, alpha_ct=self.alpha_ct, alpha_st=self.alpha_st)
        if self.alpha_ct and self.cttc is None:
            raise WsedError("cross triggers count (alpha_ct is not 0) but their criterion cttc is None")

    @property
    def criteria(self) -> Criteria:
        """The shares that must be reached; `cttc` is None if cross triggers have no weight."""
        return Criteria(self.dtc, self.gtc, self.cttc if self.alpha_ct else None, self.decimals)


PSDS1 = PSDSParameters(dtc=0.7, gtc=0.7, cttc=None, alpha_ct=0.0, alpha_st=1.0, max_efpr=100.0)
PSDS2 = PSDSParameters(dtc=0.1, gtc=0.1, cttc=0.3, alpha_ct=0.5, alpha_st=1.0, max_efpr=100.0)


@dataclass(frozen=True)
class PSDS:
    """A PSDS and its curves.

    Attributes:
        value: the score, in [0, 1]; NaN if no class has reference events.
        per_class: area under the curve of each class, in [0, 1]; NaN for a class without reference events.
        roc: effective curve over all classes, starting at rate 0.
        class_rocs: curve of each class.
        parameters: parameters of the score.

    >>> import torch
    >>> events = Events.of([(0, 0, 1.0, 3.0)])
    >>> psds = psds_from_operating_points(events, [events], n_labels=1, durations=torch.tensor([10.0]))
    >>> psds.value, psds.roc.tpr.tolist()
    (1.0, [1.0])
    """

    value: float
    per_class: Float[np.ndarray, " label"]
    roc: Curve
    class_rocs: tuple[Curve, ...]
    parameters: PSDSParameters


@dataclass(frozen=True)
class PSDSTable:
    """The parts of a PSDS per clip, from which the score for any clip weights is cheap to compute.

    A bootstrap over clips draws how often each clip counts and computes `psds(weights)`.

    A class without reference events (in the clips with a weight above 0) has no curve. It is left out of the mean and
    the standard deviation over classes, and of the other classes over which cross triggers are averaged.
    `sed_scores_eval` refuses such a class, or counts its curve as 0 in a bootstrap fold.
    With one class there are no cross triggers.

    >>> import torch
    >>> scores = Scores.of_padded(torch.tensor([[[0.1], [0.9], [0.8], [0.2]]]), frame_rate=1.0)
    >>> table = PSDSTable.of_scores(scores, Events.of([(0, 0, 1.0, 3.0)]))
    >>> table.psds(torch.tensor([2.0])).value
    1.0
    >>> table.values(np.array([[1.0], [2.0]]))
    array([1., 1.])
    """

    truth: Reference
    parameters: PSDSParameters
    changes: tuple[Changes | None, ...]
    pruned: Pruned | None = None

    @staticmethod
    def of_scores(
        scores: Scores, reference: Events, parameters: PSDSParameters = PSDS1, *, timed: Timed | None = None
    ) -> "PSDSTable":
        """From frame scores, over all thresholds; arguments as in `psds_from_scores`."""
        grid, truth = _grid_and_truth(scores, reference, parameters, timed)
        enough = _enough(truth, parameters)
        # A resample may have fewer of the certain false alarms: leave a margin of five standard deviations.
        swept = list(changes_of_scores(grid, truth.events, parameters.criteria, enough + 5 * math.isqrt(enough) + 5))
        certain = tuple(each.certain for each in swept)
        pruned = Pruned(grid, truth, parameters.criteria, parameters.max_efpr, certain)
        return PSDSTable(truth, parameters, tuple(each.changes for each in swept), pruned)

    @staticmethod
    def of_operating_points(
        reference: Events,
        points: Sequence[Events],
        n_labels: int,
        durations: Float[Tensor, " clip"],
        parameters: PSDSParameters = PSDS1,
        *,
        timed: Timed | None = None,
    ) -> "PSDSTable":
        """From the detections at operating points; arguments as in `psds_from_operating_points`.

        >>> import torch
        >>> events = Events.of([(0, 0, 1.0, 3.0)])
        >>> PSDSTable.of_operating_points(events, [events], 1, torch.tensor([10.0])).psds().value
        1.0
        """
        truth = Reference.of(reference, durations, n_labels, timed)
        detections = [lasting(columns(joined(point), n_labels)) for point in points]
        for detection in detections:
            check_clips(detection, truth.durations.size, "an operating point has events")
        if truth.timed is not None:
            detections = [d.take(truth.timed[d.clip, d.label]) for d in detections]
        changes = changes_of_points(detections, truth.events, n_labels, parameters.criteria, truth.durations)
        return PSDSTable(truth, parameters, tuple(changes))

    def psds(self, weights: Float[Tensor, " clip"] | None = None) -> PSDS:
        """The score if each clip counts `weights` times (0 or more; once if None).

        Raises:
            WsedError: there is not one weight per clip, a weight is negative or not finite, or the total time is 0.
        """
        weight = _weights(self.truth, weights)
        changes = self.changes if self.pruned is None else self.pruned.checked(self.changes, weight[None])
        return _score(self.truth, self.parameters, changes, weight)

    def values(self, weights: Float[np.ndarray, "resample clip"]) -> Float[np.ndarray, " resample"]:
        """The score for each row of weights: a `Statistic` for `wsed.metrics.bootstrap`.

        NaN for a row in which the total time is 0, such as a resample of groups that leaves no clip; other errors are
        those of `psds`.
        """
        _check_weights(self.truth, weights)
        p, pruned = self.parameters, self.pruned
        resampler = Resampler(self.truth, self.changes, p.alpha_ct, p.alpha_st, p.max_efpr)
        lasts = weights @ self.truth.durations > 0
        result = np.full(len(weights), np.nan)
        result[lasts] = resampler.values(
            weights[lasts], None if pruned is None else lambda rows: pruned.checked(self.changes, rows)
        )
        return result


def psds_from_scores(
    scores: Scores, reference: Events, parameters: PSDSParameters = PSDS1, *, timed: Timed | None = None
) -> PSDS:
    """Exact PSDS over all thresholds; the same value as `sed_scores_eval.intersection_based.psds`.

    At threshold `t`, the detections of a class are its runs of frames with `score >= t`. Labels are computed one after
    the other, so that memory holds the scores and the runs of one label.

    Args:
        scores: frame scores, higher means more certain. Frames with score -inf are never active.
        reference: true events; clip indices are positions in `scores`. Events of a class that overlap are joined.
        parameters: parameters of the score.
        timed: classes that are known in each clip, all if None. Unknown classes have neither events nor false alarms
            in a clip, and its duration does not count for them.

    Raises:
        WsedError: there are no frame scores, a score is NaN, a label or clip has no scores, or the total time is 0.

    >>> import torch
    >>> scores = Scores.of_padded(torch.tensor([[[0.1], [0.9], [0.8], [0.2]]]), frame_rate=1.0)
    >>> psds_from_scores(scores, Events.of([(0, 0, 1.0, 3.0)])).value
    1.0
    """
    grid, truth = _grid_and_truth(scores, reference, parameters, timed)
    swept = changes_of_scores(grid, truth.events, parameters.criteria, _enough(truth, parameters))
    return _score(truth, parameters, (each.changes for each in swept), _weights(truth, None))


def psds_from_operating_points(
    reference: Events,
    points: Sequence[Events],
    n_labels: int,
    durations: Float[Tensor, " clip"],
    parameters: PSDSParameters = PSDS1,
    *,
    timed: Timed | None = None,
) -> PSDS:
    """PSDS from the detections at some thresholds; the same value as `psds_eval`, a lower bound of the exact PSDS.

    An operating point without detections is always added. A detection outside its clip is never a false alarm, but it
    can detect an event that is outside too; a detection that ends after its clip counts in full. (PSDS over all
    thresholds also counts false alarms outside the clip, as `sed_scores_eval` does.)

    Args:
        reference: true events.
        points: detections of each operating point, in any order; clip indices mean the same clips as in `reference`.
            Events of a class that overlap are joined on both sides, or shared seconds would count twice.
        n_labels: size of the label axis.
        durations: seconds of each clip.
        parameters: parameters of the score.
        timed: classes that are known in each clip; see `psds_from_scores`.

    Raises:
        WsedError: a label is outside the label axis, a clip has no duration, or durations are negative or all 0.

    >>> import torch
    >>> reference, detected = Events.of([(0, 0, 1.0, 3.0), (0, 0, 5.0, 6.0)]), Events.of([(0, 0, 1.0, 3.0)])
    >>> psds_from_operating_points(reference, [detected], n_labels=1, durations=torch.tensor([10.0])).value
    0.5
    """
    return PSDSTable.of_operating_points(reference, points, n_labels, durations, parameters, timed=timed).psds()


def _grid_and_truth(
    scores: Scores, reference: Events, parameters: PSDSParameters, timed: Timed | None
) -> tuple[ScoreGrid, Reference]:
    if parameters.decimals is None:
        raise WsedError("decimals=None is for operating points: over all thresholds, sums of seconds must be rounded")
    truth = Reference.of(reference, scores.durations, scores.n_labels, timed)
    return ScoreGrid.of(without_unknown(scores, truth.timed)), truth


def _enough(truth: Reference, parameters: PSDSParameters) -> int:
    """One more than the number of false alarms at `max_efpr`, so that rounding of the rate does not matter."""
    return int(parameters.max_efpr * truth.durations.sum() / HOUR) + 1


def _score(
    truth: Reference,
    parameters: PSDSParameters,
    changes: Iterable[Changes | None],
    weight: Float[np.ndarray, " clip"],
) -> PSDS:
    rates_of = _rates(truth, parameters, weight)
    n_ref = truth.per_label(weight[truth.events.clip]) * (truth.seconds(weight[None])[0] > 0)
    curves = tuple(
        change.curve(rates_of(label), weight, n, parameters.max_efpr)
        if change and n > 0
        else Curve(np.zeros(0), np.zeros(0))
        for label, (change, n) in enumerate(zip(changes, n_ref.tolist(), strict=True))
    )
    roc = effective_curve(curves, parameters.alpha_st)
    areas = np.array([curve.area(parameters.max_efpr) for curve in curves])
    return PSDS(roc.area(parameters.max_efpr), areas, roc, curves, parameters)


def _weights(truth: Reference, weights: Tensor | None) -> Float[np.ndarray, " clip"]:
    if weights is None:
        return np.ones(truth.durations.size)
    weight: Float[np.ndarray, " clip"] = weights.detach().cpu().double().numpy()
    _check_weights(truth, weight[None])
    if not weight @ truth.durations > 0:
        raise WsedError("the clips with a weight above 0 last 0 s: there is nothing to score")
    return weight


def _check_weights(truth: Reference, weights: Rows) -> None:
    if weights.shape[1:] != truth.durations.shape or not (np.isfinite(weights).all() and np.all(weights >= 0)):
        raise WsedError(f"one weight of 0 or more for each of {truth.durations.size} clips is needed")


def _rates(
    truth: Reference, parameters: PSDSParameters, weight: Float[np.ndarray, " clip"]
) -> Callable[[int], Float[np.ndarray, " cell"]]:
    """Effective rate that one false alarm of a label adds, flattened over clips and kinds of false alarms."""
    if truth.timed is None:
        same = _rates_in(truth, parameters, weight).ravel()
        return lambda _label: same
    timed = truth.timed
    # Only clips where the label is known count, for the time and for the events of other labels.
    return lambda label: _rates_in(truth, parameters, weight * timed[:, label]).ravel()


def _rates_in(
    truth: Reference, parameters: PSDSParameters, weight: Float[np.ndarray, " clip"]
) -> Float[np.ndarray, "clip kind"]:
    """Effective rate that one false alarm in a clip adds: as a cross trigger of each label, and (last) alone."""
    events = truth.events
    of_events = truth.per_label(weight[events.clip] * (events.offset - events.onset))
    total = np.array([weight @ truth.durations])
    per_kind: Float[np.ndarray, "clip kind"] = weight[:, None] * rates(total, of_events[None], parameters.alpha_ct)
    return per_kind
