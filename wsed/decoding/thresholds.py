"""Thresholds that give the best F1 on a set of clips: exact over all thresholds, over a grid, or by random search.

All work on `[item label]` tables: items are clips (tags), frames, or segments (see `wsed.decoding.segments`). For
events, whose F1 is not a function of items, see `wsed.decoding.tuning`.

A class without positives has no F1 (NaN, as in `wsed.metrics.Counts`) and keeps the default threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.decoding.base import Decoder, replaced
from wsed.errors import WsedError

ItemLabels = Bool[Tensor, "item label"]
ItemScores = Float[Tensor, "item label"]
Ranks = Int[Tensor, "rank label"]
PerCandidate = Float[Tensor, "candidate label"]

HUNDREDTHS = tuple(hundredth / 100 for hundredth in range(100))
"""0, 0.01, ..., 0.99."""


@dataclass(frozen=True)
class Tuned:
    """Settings found by a search, one value per label, and how they were found.

    Attributes:
        values: setting of the decoder -> values, such as `{"threshold": (0.31, 0.5)}`.
        score: F1 reached by each label on the clips searched; NaN for a label without reference.
        tuned_on: name of those clips. A report on the same clips has to say so: such a score is too good.
    """

    values: Mapping[str, tuple[float, ...]]
    score: tuple[float, ...]
    tuned_on: str

    @property
    def macro(self) -> float:
        """Mean score over the labels that have one."""
        return float(torch.tensor(self.score, dtype=torch.float64).nanmean())

    def apply(self, decoder: Decoder) -> Decoder:
        """A copy of a decoder with these settings."""
        return replaced(decoder, {name: list(values) for name, values in self.values.items()})


def exact_thresholds(
    labels: ItemLabels, scores: ItemScores, tuned_on: str, *, setting: str = "threshold", default: float = 0.5
) -> Tuned:
    """The threshold of highest F1 per label over all thresholds: one sort, one cumulative sum.

    The value lies midway between the lowest score accepted and the highest rejected. Of equally good thresholds it is
    the highest (fewest positives).

    Args:
        labels: what is true.
        scores: positive where above the threshold (strictly); -inf is never positive.
        tuned_on: name of this set.
        setting: of the decoder: `threshold`, or `tag_threshold` where items are clips.
        default: for labels without positives, or with no score but -inf.

    Raises:
        WsedError: the shapes differ.
    """
    falling, hits = _ranked(labels, scores)
    if not len(falling):
        return _tuned(
            setting, torch.full((labels.shape[1],), default), torch.full((labels.shape[1],), torch.nan), tuned_on
        )
    n_said = torch.arange(1, len(falling) + 1, device=hits.device)[:, None].expand_as(falling)
    f1 = _f1(hits, n_said)
    f1[:-1][falling[:-1] == falling[1:]] = -1.0  # equal scores are accepted together or not at all
    f1[falling == -torch.inf] = -1.0  # those never are
    best = f1.nan_to_num(-1.0).argmax(0, keepdim=True)
    low_end = torch.full_like(falling[:1], -torch.inf)
    accepted, rejected = falling.gather(0, best)[0], torch.cat([falling, low_end]).gather(0, best + 1)[0]
    middle = (accepted + rejected) / 2
    middle = torch.where(middle < accepted, middle, rejected)  # neighbouring floats have no middle
    below_all = torch.where(accepted > 0, accepted / 2, accepted - 1e-6 * accepted.abs().clamp(min=1.0))
    value = torch.where(rejected.isfinite(), middle, below_all)
    known, possible = hits[-1] > 0, falling[0] > -torch.inf
    score = torch.where(known, f1.gather(0, best)[0].clamp(min=0.0), torch.nan)
    return _tuned(setting, torch.where(known & possible, value, default), score, tuned_on)


def grid_thresholds(
    labels: ItemLabels,
    scores: ItemScores,
    tuned_on: str,
    *,
    grid: Sequence[float] = HUNDREDTHS,
    setting: str = "threshold",
    default: float = 0.5,
) -> Tuned:
    """The value of `grid` of highest F1 per label, the first of equal ones.

    The grid 0, 0.01, ..., 0.99 is that of M&mnet (Chou, Jang, Yang, IJCAI 2018). A grid of one value tunes nothing.
    """
    values = torch.tensor(grid, dtype=_dtype(scores), device=scores.device)[:, None].expand(-1, labels.shape[1])
    f1 = f1_at(labels, scores, values)
    best = f1.nan_to_num(-1.0).argmax(0, keepdim=True)
    known = labels.any(0)
    value = torch.where(known, values.gather(0, best)[0], default)
    return _tuned(setting, value, f1.gather(0, best)[0], tuned_on)


def random_thresholds(
    labels: ItemLabels,
    scores: ItemScores,
    tuned_on: str,
    *,
    restarts: int = 100,
    steps: int = 30,
    seed: int = 0,
    setting: str = "tag_threshold",
) -> Tuned:
    """Random walks from thresholds near 0.5; the thresholds of highest macro F1 met on any of them.

    Each restart draws thresholds from 0.40, 0.41, ..., 0.60 and walks: every threshold moves by `(2u - 1) g(t) w`, `u`
    uniform in [0, 1], `g` a Gaussian bump of height 1 about 0.5 (sigma 0.08), `w` falling from 0.07 by
    `0.07 / (1.9 steps)` a step. 0.5 everywhere is the one to beat. All restarts walk at once.

    Source: Pellegrini, Cances, IJCNN 2019 (called simulated annealing there). Its code keeps the best vector by
    reference and goes on changing it, so that it returns the last one; here the best is copied. The height of `g` is
    not given there.
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
    return _tuned(setting, best, score, tuned_on)


def f1_at(labels: ItemLabels, scores: ItemScores, thresholds: PerCandidate) -> PerCandidate:
    """F1 of each label at each threshold (strictly above is positive), float64; NaN for a label without positives."""
    return _f1_above(*_ranked(labels, scores), thresholds)


def _ranked(labels: ItemLabels, scores: ItemScores) -> tuple[ItemScores, Ranks]:
    """Scores in falling order, and the number of true items among the 0, 1, 2, ... highest."""
    if labels.shape != scores.shape or labels.ndim != 2:
        raise WsedError(f"labels {tuple(labels.shape)} and scores {tuple(scores.shape)} must be [item label] tables")
    falling, order = scores.detach().to(_dtype(scores)).sort(0, descending=True)
    hits = labels.bool().to(scores.device).gather(0, order).cumsum(0)
    return falling, torch.nn.functional.pad(hits, (0, 0, 1, 0))


def _f1_above(falling: ItemScores, hits: Ranks, thresholds: PerCandidate) -> PerCandidate:
    limits = thresholds.to(falling.dtype).T.contiguous()
    n_said = len(falling) - torch.searchsorted(falling.flip(0).T.contiguous(), limits, right=True).T
    return _f1(hits, n_said)


def _f1(hits: Ranks, n_said: Int[Tensor, "candidate label"]) -> PerCandidate:
    n_true = hits[-1]
    f1 = 2 * hits.gather(0, n_said).double() / (n_true + n_said).clamp(min=1)
    return torch.where(n_true > 0, f1, torch.nan)


def _dtype(scores: Tensor) -> torch.dtype:
    return torch.float64 if scores.dtype == torch.float64 else torch.float32


def _tuned(setting: str, value: Float[Tensor, " label"], score: Float[Tensor, " label"], tuned_on: str) -> Tuned:
    return Tuned({setting: tuple(value.tolist())}, tuple(score.tolist()), tuned_on)
