"""Tagging scores without a threshold (average precision, areas under the ROC curve, d'), and three averages of F1.

As in `Counts`, a class that is in no clip has no scores (NaN) and is left out of macro means. For areas under the ROC
curve, the same holds for a class that is in every clip. Micro scores pool all pairs of clip and class.

Every score is a function of clip weights, so that a bootstrap needs matrix products instead of a loop over resamples.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.metrics.clips import tag_counts
from wsed.metrics.counts import Counts
from wsed.metrics.cuts import at_cuts, check_ranked

PerLabel = Float[np.ndarray, " label"]
Weights = Float[np.ndarray, "resample clip"]
Curve = Float[np.ndarray, "resample cut"]
PerResample = Float[np.ndarray, " resample"]
Known = Bool[Tensor, "clip label"]
Convention = Literal["dcase2024", "sklearn"]
Ranking = Callable[[Curve, Curve], PerResample]
"""Maps the weights of true and of false clips that score at or above each cut to a score.

Cuts are in falling order. Of neighbouring cuts that add only false clips, all but the last may be left out.
"""


def ap(tp: Curve, fp: Curve) -> PerResample:
    """Average precision, `sum_n (R_n - R_{n-1}) P_n` over the distinct scores; NaN without positives.

    >>> ap(np.array([[1.0, 1.0, 2.0]]), np.array([[0.0, 1.0, 1.0]])).round(3)
    array([0.833])
    """
    gain = np.diff(tp, axis=1, prepend=0.0)
    precision = tp / np.where(tp + fp > 0, tp + fp, 1.0)
    return _ratio((gain * precision).sum(1), tp[:, -1])


def auroc(tp: Curve, fp: Curve) -> PerResample:
    """Area under the ROC curve: the probability that a true clip scores above a false one; ties count half.

    NaN without positives or without negatives.

    >>> auroc(np.array([[1.0, 1.0, 2.0]]), np.array([[0.0, 1.0, 1.0]]))
    array([0.5])
    """
    width = np.diff(fp, axis=1, prepend=0.0)
    height = tp - np.diff(tp, axis=1, prepend=0.0) / 2
    return _ratio((width * height).sum(1), tp[:, -1] * fp[:, -1])


@checked
def partial_auroc(tp: Curve, fp: Curve, max_fpr: float = 0.1, convention: Convention = "dcase2024") -> PerResample:
    """Area under the ROC curve up to a false positive rate of `max_fpr`, scaled so that 1 is perfect.

    Two conventions give different numbers:

    * `dcase2024`: the area divided by `max_fpr`. At tied scores, the curve first goes right and then up. This is the
      `auroc` of `sed_scores_eval` 0.0.4. DCASE 2024 task 4 reports its mean over classes at 0.1 for segments of 1 s
      (mpAUC; see `SegmentRanking`). Random scores get 0.05.
    * `sklearn`: tied scores are joined by a straight line, and the area is standardised so that random scores get 0.5
      (McClish, Analyzing a portion of the ROC curve, Medical Decision Making 9(3), 1989), as in
      `roc_auc_score(max_fpr=0.1)`.

    Raises:
        WsedError: `max_fpr` is not in (0, 1], or the convention is unknown.

    >>> partial_auroc(np.array([[1.0, 1.0, 2.0]]), np.array([[0.0, 1.0, 1.0]]), max_fpr=0.5)
    array([0.5])
    """
    if not 0 < max_fpr <= 1:
        raise WsedError(f"max_fpr must lie in (0, 1], not {max_fpr}")
    y, x = _ratio(tp, tp[:, -1:]), _ratio(fp, fp[:, -1:])
    left, low = (np.pad(c, ((0, 0), (1, 0)))[:, :-1] for c in (x, y))
    width = np.minimum(x, max_fpr) - np.minimum(left, max_fpr)
    if convention == "dcase2024":
        scaled = (width * low).sum(1) / max_fpr
    else:
        slope, least = (y - low) / np.where(x > left, x - left, 1.0), max_fpr**2 / 2
        raw = (width * (low + slope * width / 2)).sum(1)
        scaled = 0.5 * (1 + (raw - least) / (max_fpr - least))
    return np.where(tp[:, -1] * fp[:, -1] > 0, scaled, np.nan)


def d_prime(auroc: Float[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
    """`sqrt(2) * Phi^-1(AUROC)`: distance of two unit normal distributions with that AUROC; infinite at 0 and 1.

    Gemmeke et al., Audio Set: An ontology and human-labeled dataset for audio events, ICASSP 2017.

    >>> d_prime(np.array([0.5]))
    array([0.])
    """
    normal: Float[np.ndarray, "*any"] = torch.special.ndtri(torch.as_tensor(auroc, dtype=torch.float64)).numpy()
    return normal * 2**0.5


def ranking_scores(
    clip_labels: Bool[Tensor, "clip label"],
    scores: Float[Tensor, "clip label"],
    ranking: Ranking,
    weights: Weights | None = None,
    known: Known | None = None,
) -> Float[np.ndarray, "resample label"]:
    """A ranking score of each class for each row of clip weights.

    Args:
        clip_labels: the classes that are in each clip.
        scores: one score per clip and class; higher means more certain. Infinite scores tie.
        ranking: the ranking score: `ap`, `auroc` or `partial_auroc`.
        weights: how often each clip counts; if None, one row in which each clip counts once.
        known: tags that are known, all if None; a class is ranked over the clips where it is known.

    Raises:
        WsedError: the shapes differ, or there are no clips.

    >>> true, scores = torch.tensor([[True], [False]]), torch.tensor([[0.9], [0.1]])
    >>> ranking_scores(true, scores, auroc)
    array([[1.]])
    """
    true, score = _arrays(clip_labels, scores)
    weights = np.ones((1, len(true))) if weights is None else weights
    if known is None:
        result = [_one_class(true[:, c], score[:, c], ranking, weights) for c in range(true.shape[1])]
    else:
        clips = [np.flatnonzero(of_class) for of_class in known.cpu().numpy().T]
        result = [_one_class(true[k, c], score[k, c], ranking, weights[:, k]) for c, k in enumerate(clips)]
    return np.stack(result, axis=1) if result else np.zeros((len(weights), 0))


def average_precision(labels: Tensor, scores: Tensor) -> PerLabel:
    """Average precision per class: `sum_n (R_n - R_{n-1}) P_n` over the distinct scores in falling order.

    Clips with equal scores enter together, so their order does not matter. There is no interpolation, as in
    scikit-learn. NaN for a class that is in no clip. Arguments as in `ranking_scores`.

    >>> average_precision(torch.tensor([[True], [False]]), torch.tensor([[0.1], [0.9]]))
    array([0.5])
    """
    per_label: PerLabel = ranking_scores(labels, scores, ap)[0]
    return per_label


def _one_class(
    true: Bool[np.ndarray, " clip"], score: Float[np.ndarray, " clip"], ranking: Ranking, weights: Weights
) -> PerResample:
    if not score.size:
        return np.full(len(weights), np.nan)
    return ranking(*at_cuts(true, score, weights))


@checked
def ranking_statistic(
    clip_labels: Bool[Tensor, "clip label"],
    scores: Float[Tensor, "clip label"],
    ranking: Ranking = ap,
    average: Literal["macro", "micro"] = "macro",
    known: Known | None = None,
) -> Callable[[Weights], PerResample]:
    """A mean ranking score, such as mAP, as a function of clip weights, for `bootstrap`.

    Args:
        clip_labels: the classes that are in each clip.
        scores: one score per clip and class; higher means more certain.
        ranking: the ranking score: `ap`, `auroc` or `partial_auroc`.
        average: `macro`: mean over classes; `micro`: all pairs of clip and class are ranked together.
        known: tags that are known; all if None.

    >>> true, scores = torch.tensor([[True], [False]]), torch.tensor([[0.9], [0.1]])
    >>> ranking_statistic(true, scores)(np.array([[1.0, 1.0]]))
    array([1.])
    """
    n_labels = clip_labels.shape[1]
    pairs = None if known is None else known.reshape(-1, 1)

    def score_of(weights: Weights) -> PerResample:
        if average == "micro":
            pooled = np.repeat(weights, n_labels, axis=1)
            return ranking_scores(clip_labels.reshape(-1, 1), scores.reshape(-1, 1), ranking, pooled, pairs)[:, 0]
        return mean_known(ranking_scores(clip_labels, scores, ranking, weights, known))

    return score_of


@dataclass(frozen=True)
class TaggingScores:
    """Tagging scores per class, their macro means, and micro scores of all pairs of clip and class pooled.

    Attributes:
        ap, auroc, pauroc: scores per class; NaN if a class has no score.
        n_positive: number of clips with the class.
        n_clips: number of clips.
        micro_ap, micro_auroc, micro_pauroc: scores of the pooled pairs.
    """

    ap: PerLabel
    auroc: PerLabel
    pauroc: PerLabel
    n_positive: Int[np.ndarray, " label"]
    n_clips: int
    micro_ap: float
    micro_auroc: float
    micro_pauroc: float

    @property
    def macro_ap(self) -> float:
        """Mean average precision (mAP) over the classes that are in a clip."""
        return float(mean_known(self.ap[None])[0])

    @property
    def macro_auroc(self) -> float:
        """Mean over the classes with both positives and negatives."""
        return float(mean_known(self.auroc[None])[0])

    @property
    def macro_pauroc(self) -> float:
        """Mean over the classes with both positives and negatives; it ranks clips, DCASE 2024 segments of 1 s."""
        return float(mean_known(self.pauroc[None])[0])

    @property
    def d_prime(self) -> PerLabel:
        """Values of d' per class; infinite if a class is separated perfectly."""
        return d_prime(self.auroc)

    @property
    def macro_d_prime(self) -> float:
        """Value of d' for the mean AUROC, as is usual; the mean of d' would be infinite if one class is perfect."""
        return float(d_prime(np.array([self.macro_auroc]))[0])

    def summary(self) -> dict[str, float]:
        """The averages by name, ready to log."""
        names = ("macro_ap", "macro_auroc", "macro_pauroc", "macro_d_prime", "micro_ap", "micro_auroc", "micro_pauroc")
        return {name: getattr(self, name) for name in names}


@checked
def tagging_scores(
    clip_labels: Bool[Tensor, "clip label"],
    scores: Float[Tensor, "clip label"],
    known: Known | None = None,
    *,
    max_fpr: float = 0.1,
    convention: Convention = "dcase2024",
) -> TaggingScores:
    """All tagging scores without a threshold.

    Args:
        clip_labels: the classes that are in each clip.
        scores: one score per clip and class; higher means more certain.
        known: tags that are known; all if None.
        max_fpr: see `partial_auroc`.
        convention: see `partial_auroc`.

    Raises:
        WsedError: the shapes differ, or there are no clips.

    >>> true, scores = torch.tensor([[True], [False]]), torch.tensor([[0.9], [0.1]])
    >>> tagging_scores(true, scores).macro_auroc
    1.0
    """
    rankings: tuple[Ranking, ...] = (ap, auroc, partial(partial_auroc, max_fpr=max_fpr, convention=convention))
    pairs = clip_labels.reshape(-1, 1), scores.reshape(-1, 1), None if known is None else known.reshape(-1, 1)
    by_class, pooled = (
        [ranking_scores(true, score, r, known=of)[0] for r in rankings]
        for true, score, of in ((clip_labels, scores, known), pairs)
    )
    positive = clip_labels.bool() if known is None else clip_labels.bool() & known
    return TaggingScores(
        ap=by_class[0],
        auroc=by_class[1],
        pauroc=by_class[2],
        n_positive=positive.sum(0).cpu().numpy(),
        n_clips=len(clip_labels),
        micro_ap=float(pooled[0][0]),
        micro_auroc=float(pooled[1][0]),
        micro_pauroc=float(pooled[2][0]),
    )


def tag_f1(clip_labels: Bool[Tensor, "clip label"], predicted: Bool[Tensor, "clip label"]) -> dict[str, float]:
    """Three averages of F1 that are all published as "F1" (DCASE 2017 task 4; Chou, Jang & Yang 2018).

    Args:
        clip_labels: the classes that are in each clip.
        predicted: the classes that the system predicts for each clip.

    Returns:
        `micro`: F1 of the pooled counts of all classes; `macro_f_mean`: mean of the F1 of the classes;
        `macro_f_harmonic`: harmonic mean of macro precision and macro recall.

    >>> true = torch.tensor([[True, False], [True, True]])
    >>> tag_f1(true, true)["micro"]
    1.0
    """
    return f1_averages(tag_counts(clip_labels, predicted))


def f1_averages(counts: Counts) -> dict[str, float]:
    """The three averages of F1 that `tag_f1` returns, from any counts.

    >>> f1_averages(Counts(np.array([1, 1]), np.array([1, 2]), np.array([1, 1])))["micro"]
    0.8
    """
    precision, recall = counts.macro_precision, counts.macro_recall
    harmonic = 2 * precision * recall / (precision + recall) if precision + recall > 0 else precision + recall
    return {"micro": counts.micro_f1, "macro_f_mean": counts.macro_f1, "macro_f_harmonic": harmonic}


def mean_known(values: Float[np.ndarray, "resample label"]) -> PerResample:
    """Mean over the classes with a score (not NaN); NaN if no class has a score.

    >>> mean_known(np.array([[0.5, np.nan], [np.nan, np.nan]]))
    array([0.5, nan])
    """
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(1), known.sum(1))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The quotient; NaN if the denominator is 0."""
    return np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1.0), np.nan)


def _arrays(labels: Tensor, scores: Tensor) -> tuple[np.ndarray, np.ndarray]:
    if labels.shape != scores.shape or labels.ndim != 2 or not len(labels):
        raise WsedError(
            f"expected two [clip label] tensors of one shape with at least one clip, got {tuple(labels.shape)} and "
            f"{tuple(scores.shape)}"
        )
    score = scores.detach().double().cpu().numpy()
    check_ranked(score)
    return labels.bool().cpu().numpy(), score
