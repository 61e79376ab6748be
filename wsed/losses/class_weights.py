"""Weights of classes by their frequency, so that common classes do not dominate rare ones."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.learning import TrainingSet
from wsed.losses.base import Loss

Weights = tuple[Tensor, Tensor]
"""Factors of the terms of `y` and `1 - y` of a cross-entropy, each `[label]` or `[... label]`."""


def class_weights(counts: Sequence[float], n_clips: int | None = None, beta: float = 0.3) -> Float[Tensor, " label"]:
    """`((q / p) (1 - p) / (1 - q))^beta`: weights that are larger for rare classes (Chou, Jang & Yang 2018, Eq. 11).

    `p` is the share of a class, and `q` is the mean share of the classes with a count above 0.

    Args:
        counts: number of training clips with each class.
        n_clips: number of training clips: a share is a count divided by it, or by the sum of the counts if None.
        beta: strength; with 0 every class weighs 1, with 1 the weights make the odds of all classes equal.

    Returns:
        float64. A class weighs 1 if its share is `q`, as that of a single class is, or if its count is 0.

    Raises:
        WsedError: a count is below 0, or a share is 1 or more.

    >>> class_weights([30.0, 10.0], beta=1.0)
    tensor([0.3333, 3.0000], dtype=torch.float64)
    """
    number = torch.as_tensor(counts, dtype=torch.float64)
    if n_clips is None and len(number) and bool((number >= 0).all()) and int((number > 0).sum()) <= 1:
        return torch.ones_like(number)  # its share is the mean share
    share = number / (number.sum() if n_clips is None else n_clips)
    wrong = ((share < 0) | (share >= 1)).nonzero().flatten().tolist()
    if wrong or not len(share):
        limit = "their sum (or set n_clips)" if n_clips is None else f"n_clips, {n_clips}"
        problem = f"class {wrong[0]} has {number[wrong[0]]:g}" if wrong else "the list is empty"
        raise WsedError(f"class_weights.counts: {problem}; each count must be at least 0 and below {limit}")
    known = number > 0
    mean = share[known].mean()
    weights = (mean / share * ((1 - share) / (1 - mean))) ** beta
    return torch.where(known, weights, 1.0)


@dataclass(frozen=True)
class ClassWeights:
    """Class weights as a setting of a loss: `class_weights: {}`, or `class_weights: {counts: [345, 313, ...]}`.

    Args:
        counts: number of training clips with each class, in the order of the classes. If None, the training clips are
            counted before training; until then every class weighs 1.
        n_clips: number of training clips; see `class_weights`.
        beta: strength; see `class_weights`.

    >>> ClassWeights([30.0, 10.0], beta=1.0).weights()[0]
    tensor([0.3333, 3.0000])
    """

    counts: list[float] | None = None
    n_clips: int | None = None
    beta: float = 0.3

    def weights(self) -> Weights:
        """Factors of the terms of `y` and `1 - y`, each `[label]`, float32; `counts` must not be None."""
        both = class_weights(self.counts or (), self.n_clips, self.beta).float()
        return both, both


class ClassWeighted(Loss):
    """Base class of cross-entropy losses with optional class weights.

    Args:
        class_weights: weights by class frequency; every class weighs 1 if None.

    Raises:
        WsedError: a count is below 0, or a share is 1 or more (see `class_weights`). In training: the number of counts
            is not the number of classes.
    """

    def __init__(self, class_weights: ClassWeights | None = None) -> None:
        super().__init__()
        self.setting = class_weights
        known = class_weights if self.learned else None
        positive, negative = (None, None) if known is None else known.weights()
        self.register_buffer("positive", positive, persistent=False)
        self.register_buffer("negative", negative, persistent=False)

    @property
    def learned(self) -> bool:
        """Whether the counts are known or not needed."""
        return self.setting is None or self.setting.counts is not None

    def learn(self, train: TrainingSet) -> None:
        """Compute the weights from the number of training clips with each tag."""
        self.set_counts(train.label_counts())

    def set_counts(self, counts: Sequence[float]) -> None:
        """Compute the weights from `counts`: the number of training clips with each tag."""
        if self.setting is None:
            return
        if absent := sum(n == 0 for n in counts):
            message = f"{absent} of {len(counts)} classes have no training clips; their class weight is 1"
            warnings.warn(message, stacklevel=2)
        self.setting = replace(self.setting, counts=list(counts))
        self.positive, self.negative = self.setting.weights()

    def weights(self, tags: Float[Tensor, "clip label"]) -> Weights | None:
        """Factors of the terms of `y` and `1 - y`, each `[label]`; None if every class weighs 1."""
        positive, negative = self.positive, self.negative
        if not isinstance(positive, Tensor) or not isinstance(negative, Tensor):
            return None
        if len(positive) != tags.shape[1]:
            raise WsedError(f"class_weights.counts has {len(positive)} values for {tags.shape[1]} labels")
        return positive.to(tags.device), negative.to(tags.device)  # set_counts may run after the move
