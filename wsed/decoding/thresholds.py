"""Thresholds with the best F1 on a set of clips: exact over all thresholds, over a grid, or by random search.

Labels and scores are `[item label]`, where items are clips (for tags), frames or segments (see
`wsed.decoding.segments`). The F1 of events is not a function of items; see `wsed.decoding.tuning`.

A class without positives has no F1 (NaN, as in `wsed.metrics.Counts`). It keeps the default threshold, as does a class
whose best F1 is 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.decoding.base import Decoder, listed, replaced
from wsed.errors import WsedError

ItemLabels = Bool[Tensor, "item label"]
ItemScores = Float[Tensor, "item label"]
Ranks = Int[Tensor, "rank label"]
PerCandidate = Float[Tensor, "candidate label"]

HUNDREDTHS = tuple(hundredth / 100 for hundredth in range(100))
"""0, 0.01, ..., 0.99."""


@dataclass(frozen=True)
class Tuned:
    """The settings with the best F1, one value per label.

    Attributes:
        values: values of each setting of the decoder, such as `{"threshold": (0.31, 0.5)}`.
        score: F1 of each label on the clips that were tuned on; NaN for a label without reference. A label whose score
            is 0 keeps its earlier values, which need not be among those that were tried.
        tuned_on: name of these clips. Scores on the same clips are too high, and a report must say so.

    >>> from wsed.decoding import StepDecoder
    >>> tuned = Tuned({"threshold": (0.25, 0.75)}, score=(0.5, 1.0), tuned_on="validation")
    >>> tuned.macro, tuned.apply(StepDecoder()).threshold
    (0.75, [0.25, 0.75])
    """

    values: Mapping[str, tuple[float, ...]]
    score: tuple[float, ...]
    tuned_on: str

    @property
    def macro(self) -> float:
        """Mean F1 over the labels with reference."""
        return float(torch.tensor(self.score, dtype=torch.float64).nanmean())

    def apply(self, decoder: Decoder) -> Decoder:
        """A copy of a decoder with these settings."""
        return replaced(decoder, {name: list(values) for name, values in self.values.items()})


def exact_thresholds(
    labels: ItemLabels,
    scores: ItemScores,
    tuned_on: str,
    *,
    setting: str = "threshold",
    default: float | Sequence[float] = 0.5,
) -> Tuned:
    """The threshold with the highest F1 of each label over all thresholds, by one sort and one cumulative sum.

    The threshold lies midway between the lowest positive score and the highest negative score. Of equally good
    thresholds it is the highest (with the fewest positives).

    Args:
        labels: the truth.
        scores: scores above the threshold (strictly) are positive; -inf is never positive.
        tuned_on: name of this set of items.
        setting: setting of the decoder: `threshold`, or `tag_threshold` if items are clips.
        default: threshold of labels without positives and of labels whose best F1 is 0; one for all, or one per label.

    Raises:
        WsedError: the shapes differ.

    >>> labels, scores = torch.tensor([[True], [False]]), torch.tensor([[0.75], [0.25]])
    >>> exact_thresholds(labels, scores, "validation").values
    {'threshold': (0.5,)}
    """
    falling, hits = _ranked(labels, scores)
    if not len(falling):
        unknown = torch.full((labels.shape[1],), torch.nan)
        return _tuned(setting, unknown, unknown, tuned_on, default)
    n_positive = torch.arange(1, len(falling) + 1, device=hits.device)[:, None].expand_as(falling)
    f1 = _f1(hits, n_positive)
    f1[:-1][falling[:-1] == falling[1:]] = -1.0  # equal scores are all positive or all negative
    f1[falling == -torch.inf] = -1.0  # these are never positive
    best = f1.nan_to_num(-1.0).argmax(0, keepdim=True)
    low_end = torch.full_like(falling[:1], -torch.inf)
    accepted, rejected = falling.gather(0, best)[0], torch.cat([falling, low_end]).gather(0, best + 1)[0]
    middle = (accepted + rejected) / 2
    middle = torch.where(middle < accepted, middle, rejected)  # neighbouring floats have no middle
    below_all = torch.where(accepted > 0, accepted / 2, accepted - 1e-6 * accepted.abs().clamp(min=1.0))
    value = torch.where(rejected.isfinite(), middle, below_all)
    score = torch.where(hits[-1] > 0, f1.gather(0, best)[0].clamp(min=0.0), torch.nan)
    return _tuned(setting, value, score, tuned_on, default)


def grid_thresholds(
    labels: ItemLabels,
    scores: ItemScores,
    tuned_on: str,
    *,
    grid: Sequence[float] = HUNDREDTHS,
    setting: str = "threshold",
    default: float | Sequence[float] = 0.5,
) -> Tuned:
    """The value of `grid` with the highest F1 of each label; of equally good values, the first.

    The default grid 0, 0.01, ..., 0.99 is that of Chou, Jang & Yang 2018. Other arguments as in `exact_thresholds`.

    >>> labels, scores = torch.tensor([[True], [False]]), torch.tensor([[0.75], [0.25]])
    >>> grid_thresholds(labels, scores, "validation", grid=[0.1, 0.5]).values
    {'threshold': (0.5,)}
    """
    values = torch.tensor(grid, dtype=_dtype(scores), device=scores.device)[:, None].expand(-1, labels.shape[1])
    f1 = f1_at(labels, scores, values)
    best = f1.nan_to_num(-1.0).argmax(0, keepdim=True)
    return _tuned(setting, values.gather(0, best)[0], f1.gather(0, best)[0], tuned_on, default)


def random_thresholds(
    labels: ItemLabels,
    scores: ItemScores,
    tuned_on: str,
    *,
    restarts: int = 100,
    steps: int = 30,
    seed: int = 0,
    setting: str = "tag_threshold",
    default: float | Sequence[float] = 0.5,
) -> Tuned:
    """The thresholds with the highest macro F1 on several random walks (Pellegrini & Cances 2019).

    Each walk starts at thresholds drawn from 0.40, 0.41, ..., 0.60. In each step, every threshold `t` moves by
    `(2u - 1) g(t) w`: `u` is uniform in [0, 1], `g` is a Gaussian of height 1 around 0.5 (sigma 0.08), and `w` falls
    from 0.07 by `0.07 / (1.9 steps)` per step. If no walk is better than 0.5 for all labels, 0.5 is returned.

    The authors call it simulated annealing. Their code does not copy the best thresholds and so returns the last ones;
    here the best are returned. They do not state the height of `g`.

    Args:
        labels: the truth.
        scores: scores above the threshold (strictly) are positive.
        tuned_on: name of this set of items.
        restarts: number of walks.
        steps: number of steps of each walk.
        seed: seed of the random numbers.
        setting: setting of the decoder.
        default: threshold of labels without positives and of labels whose F1 is 0; one for all, or one per label.

    >>> labels, scores = torch.tensor([[True], [False]]), torch.tensor([[0.75], [0.25]])
    >>> random_thresholds(labels, scores, "validation").values
    {'tag_threshold': (0.5,)}
    """
    draw = torch.Generator().manual_seed(seed)
    shape, dtype = (restarts, labels.shape[1]), _dtype(scores)
    walk = torch.randint(40, 61, shape, generator=draw).to(dtype) / 100
    best = torch.full(shape[1:], 0.5, dtype=dtype)
    ranked = _ranked(labels.cpu(), scores.cpu())
    score = _f1_above(*ranked, best[None])[0]
    for step in range(steps + 1):
        f1 = _f1_above(*ranked, walk)
        macro = f1.nanmean(1).nan_to_num(-1.0)
        if restarts and macro.max() > score.nanmean():
            best, score = walk[macro.argmax()].clone(), f1[macro.argmax()].clone()
        bump = torch.exp(-((walk - 0.5) ** 2) / (2 * 0.08**2))
        width = 0.07 * (1 - step / (1.9 * max(steps, 1)))
        walk = walk + (2 * torch.rand(shape, generator=draw, dtype=dtype) - 1) * bump * width
    return _tuned(setting, best, score, tuned_on, default)


def f1_at(labels: ItemLabels, scores: ItemScores, thresholds: PerCandidate) -> PerCandidate:
    """F1 of each label at each threshold, float64; scores above (strictly) are positive. NaN without positives.

    >>> f1_at(torch.tensor([[True], [False]]), torch.tensor([[0.75], [0.25]]), torch.tensor([[0.1], [0.5]])).flatten()
    tensor([0.6667, 1.0000], dtype=torch.float64)
    """
    return _f1_above(*_ranked(labels, scores), thresholds)


def _ranked(labels: ItemLabels, scores: ItemScores) -> tuple[ItemScores, Ranks]:
    """Scores in falling order, and the number of true items among the 0, 1, 2, ... highest scores."""
    if labels.shape != scores.shape or labels.ndim != 2:
        raise WsedError(f"labels {tuple(labels.shape)} and scores {tuple(scores.shape)} must be [item label] tables")
    falling, order = scores.detach().to(_dtype(scores)).sort(0, descending=True)
    hits = labels.bool().to(scores.device).gather(0, order).cumsum(0)
    return falling, torch.nn.functional.pad(hits, (0, 0, 1, 0))


def _f1_above(falling: ItemScores, hits: Ranks, thresholds: PerCandidate) -> PerCandidate:
    limits = thresholds.to(falling.dtype).T.contiguous()
    n_positive = len(falling) - torch.searchsorted(falling.flip(0).T.contiguous(), limits, right=True).T
    return _f1(hits, n_positive)


def _f1(hits: Ranks, n_positive: Int[Tensor, "candidate label"]) -> PerCandidate:
    n_true = hits[-1]
    f1 = 2 * hits.gather(0, n_positive).double() / (n_true + n_positive).clamp(min=1)
    return torch.where(n_true > 0, f1, torch.nan)


def _dtype(scores: Tensor) -> torch.dtype:
    return torch.float64 if scores.dtype == torch.float64 else torch.float32


def _tuned(
    setting: str,
    value: Float[Tensor, " label"],
    score: Float[Tensor, " label"],
    tuned_on: str,
    default: float | Sequence[float],
) -> Tuned:
    usual = per_label(default, len(value), setting)
    rows = zip(value.tolist(), score.tolist(), usual, strict=True)
    return Tuned({setting: tuple(new if f1 > 0 else old for new, f1, old in rows)}, tuple(score.tolist()), tuned_on)


def per_label(value: float | Sequence[float], n_labels: int, name: str) -> list[float]:
    """The value of a setting for each label.

    Raises:
        WsedError: a list of values does not have one per label.

    >>> per_label(0.5, 2, "threshold")
    [0.5, 0.5]
    """
    values = listed(value)
    if isinstance(value, Sequence) and len(values) != n_labels:
        raise WsedError(f"{len(values)} values of {name} for {n_labels} labels")
    return values if isinstance(value, Sequence) else values * n_labels
