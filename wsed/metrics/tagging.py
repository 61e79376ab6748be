"""Tagging scores that need no threshold (average precision, areas under the ROC curve, d'), and F1 in three averages.

One convention with `Counts`: a class that no clip holds has no scores (NaN) and is left out of every macro mean; so is,
for areas under the ROC curve, a class that every clip holds. Micro scores pool all pairs of clip and class.

Every score is a function of clip weights, so that the bootstrap costs matrix operations, not a loop over resamples.
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
from wsed.metrics.clips import tag_counts
from wsed.metrics.counts import Counts

PerLabel = Float[np.ndarray, " label"]
Weights = Float[np.ndarray, "resample clip"]
Curve = Float[np.ndarray, "resample cut"]
PerResample = Float[np.ndarray, " resample"]
Known = Bool[Tensor, "clip label"]
Convention = Literal["dcase2024", "sklearn"]
Ranking = Callable[[Curve, Curve], PerResample]
"""A score from the weights of true and of false clips that rank at or above each cut (a distinct score), falling."""


def ap(tp: Curve, fp: Curve) -> PerResample:
    """Average precision, `sum_n (R_n - R_{n-1}) P_n` over the distinct scores; NaN without positives."""
    gain = np.diff(tp, axis=1, prepend=0.0)
    precision = tp / np.where(tp + fp > 0, tp + fp, 1.0)
    return _ratio((gain * precision).sum(1), tp[:, -1])


def area(tp: Curve, fp: Curve) -> PerResample:
    """Area under the ROC curve: the chance that a true clip scores above a false one, ties counting half.

    NaN without positives or without negatives.
    """
    width = np.diff(fp, axis=1, prepend=0.0)
    height = tp - np.diff(tp, axis=1, prepend=0.0) / 2
    return _ratio((width * height).sum(1), tp[:, -1] * fp[:, -1])


def partial_area(tp: Curve, fp: Curve, max_fpr: float = 0.1, convention: Convention = "dcase2024") -> PerResample:
    """Area under the ROC curve up to a false positive rate of `max_fpr`, scaled so that 1 is perfect.

    Two conventions are in use and give different numbers:

    * `dcase2024`: area / max_fpr. Where several clips tie, the curve goes right before it goes up. This is `auroc` of
      `sed_scores_eval` 0.0.4, of which DCASE 2024 task 4 reports the mean over classes at 0.1 (mpAUC). Chance: 0.05.
    * `sklearn`: ties are joined by a straight line, and the area is standardised so that chance is 0.5 (McClish,
      Analyzing a portion of the ROC curve, Medical Decision Making 9(3), 1989), as `roc_auc_score(max_fpr=0.1)`.

    Raises:
        WsedError: `max_fpr` is not in (0, 1], or the convention is unknown.
    """
    if not 0 < max_fpr <= 1:
        raise WsedError(f"max_fpr must lie in (0, 1], not {max_fpr}")
    if convention not in ("dcase2024", "sklearn"):
        raise WsedError(f"the convention of a partial AUROC is dcase2024 or sklearn, not {convention!r}")
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
    """`sqrt(2) * Phi^-1(AUROC)`: distance of two unit normal distributions of that area; infinite at 0 and 1.

    Source: Gemmeke et al., Audio Set, ICASSP 2017.
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
    """`ranking` (`ap`, `area`, `partial_area`) of every class under every row of clip weights.

    Args:
        clip_labels: the classes each clip holds.
        scores: one score per clip and class, higher means more certain.
        ranking: what is asked of the ranking.
        weights: how often each clip counts; None: one row, each clip once.
        known: which tags are known: a class is ranked over the clips of which it is known. None: all.

    Raises:
        WsedError: the shapes differ, or there is no clip.
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
    """Average precision `[label]`: `sum_n (R_n - R_{n-1}) P_n` over the distinct scores in falling order.

    Clips of equal score enter together, so the order of clips does not matter (as in scikit-learn; no interpolation).
    NaN for a class that no clip holds. Arguments as for `ranking_scores`.
    """
    per_label: PerLabel = ranking_scores(labels, scores, ap)[0]
    return per_label


def _one_class(
    true: Bool[np.ndarray, " clip"], score: Float[np.ndarray, " clip"], ranking: Ranking, weights: Weights
) -> PerResample:
    if not score.size:
        return np.full(len(weights), np.nan)
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    weights = weights[:, order]
    hits = np.cumsum(weights * true[order], axis=1)[:, last_of_tie]
    return ranking(hits, np.cumsum(weights * ~true[order], axis=1)[:, last_of_tie])


def ranking_statistic(
    clip_labels: Bool[Tensor, "clip label"],
    scores: Float[Tensor, "clip label"],
    ranking: Ranking = ap,
    average: Literal["macro", "micro"] = "macro",
    known: Known | None = None,
) -> Callable[[Weights], PerResample]:
    """mAP, mean AUROC or mpAUC as a function of clip weights, for `bootstrap`; `micro` pools clips and classes."""
    n_labels = clip_labels.shape[1]
    pairs = None if known is None else known.reshape(-1, 1)

    def of(weights: Weights) -> PerResample:
        if average == "micro":
            pooled = np.repeat(weights, n_labels, axis=1)
            return ranking_scores(clip_labels.reshape(-1, 1), scores.reshape(-1, 1), ranking, pooled, pairs)[:, 0]
        return mean_known(ranking_scores(clip_labels, scores, ranking, weights, known))

    return of


@dataclass(frozen=True)
class TaggingScores:
    """Scores per class, their macro means, and the same of all pairs of clip and class pooled (micro).

    Attributes:
        ap, auroc, pauroc: per class; NaN where a class has none.
        n_positive: clips that hold the class.
        n_clips: clips in all.
        micro_ap, micro_auroc, micro_pauroc: of the pooled pairs.
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
        """MAP: mean over the classes that a clip holds."""
        return float(mean_known(self.ap[None])[0])

    @property
    def macro_auroc(self) -> float:
        """Mean over the classes with both positives and negatives."""
        return float(mean_known(self.auroc[None])[0])

    @property
    def macro_pauroc(self) -> float:
        """Mean over the classes with both positives and negatives: mpAUC of DCASE 2024, under that convention."""
        return float(mean_known(self.pauroc[None])[0])

    @property
    def d_prime(self) -> PerLabel:
        """Per class; infinite where the class is separated perfectly."""
        return d_prime(self.auroc)

    @property
    def macro_d_prime(self) -> float:
        """That of the mean AUROC, as usually printed; a mean of d' would be infinite once one class is perfect."""
        return float(d_prime(np.array([self.macro_auroc]))[0])

    def summary(self) -> dict[str, float]:
        """The averages by name, ready to log."""
        names = ("macro_ap", "macro_auroc", "macro_pauroc", "macro_d_prime", "micro_ap", "micro_auroc", "micro_pauroc")
        return {name: getattr(self, name) for name in names}


def tagging_scores(
    clip_labels: Bool[Tensor, "clip label"],
    scores: Float[Tensor, "clip label"],
    known: Known | None = None,
    *,
    max_fpr: float = 0.1,
    convention: Convention = "dcase2024",
) -> TaggingScores:
    """All scores that need no threshold; `known`: see `ranking_scores`, `max_fpr` and `convention`: `partial_area`.

    Raises:
        WsedError: the shapes differ, or there is no clip.
    """
    rankings: tuple[Ranking, ...] = (ap, area, partial(partial_area, max_fpr=max_fpr, convention=convention))
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
    """The three averages of F1 that go by one name (DCASE 2017 task 4; M&mnet, IJCAI 2018).

    Args:
        clip_labels: the classes each clip holds.
        predicted: the classes the system predicts it to hold.

    Returns:
        `micro`: hits, misses and false alarms of all classes pooled; `macro_f_mean`: mean of the F1 of the classes;
        `macro_f_harmonic`: harmonic mean of macro precision and macro recall.

    >>> true = torch.tensor([[True, False], [True, True]])
    >>> tag_f1(true, true)["micro"]
    1.0
    """
    return f1_averages(tag_counts(clip_labels, predicted))


def f1_averages(counts: Counts) -> dict[str, float]:
    """`micro`, `macro_f_mean` and `macro_f_harmonic` (see `tag_f1`) of any counts."""
    precision, recall = counts.macro_precision, counts.macro_recall
    harmonic = 2 * precision * recall / (precision + recall) if precision + recall > 0 else precision + recall
    return {"micro": counts.micro_f1, "macro_f_mean": counts.macro_f1, "macro_f_harmonic": harmonic}


def mean_known(values: Float[np.ndarray, "resample label"]) -> PerResample:
    """Mean over the classes that have a score (are not NaN); NaN where none has."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(1), known.sum(1))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """NaN for x / 0."""
    return np.where(denominator > 0, numerator / np.where(denominator > 0, denominator, 1.0), np.nan)


def _arrays(labels: Tensor, scores: Tensor) -> tuple[np.ndarray, np.ndarray]:
    if labels.shape != scores.shape or labels.ndim != 2 or not len(labels):
        raise WsedError(
            f"expected two [clip label] tensors of one shape with a clip or more, got {tuple(labels.shape)} and "
            f"{tuple(scores.shape)}"
        )
    if bool((nan := scores.isnan().any(1)).any()):
        raise WsedError(f"the scores of clip {int(nan.nonzero()[0])} hold NaN: such clips cannot be ranked")
    return labels.bool().cpu().numpy(), scores.detach().double().cpu().numpy()
