"""Weights of classes by how common they are, so that rare classes are not dominated."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.learning import TrainingSet
from wsed.losses.base import Loss
from wsed.registry import check_option

Weights = tuple[Tensor, Tensor]
"""What the two terms of a cross-entropy weigh, that of `y` and that of `1 - y`; each `[label]`, or more axes before."""

FORMULAS = ("paper", "code")


def class_weights(
    counts: Sequence[float], n_clips: int | None = None, beta: float = 0.3, formula: str = "paper"
) -> Float[Tensor, " label"]:
    """`((q / p) (1 - p) / (1 - q))^beta`, `p` the share of a class, `q` its mean (Chou, Jang & Yang 2018, Eq. 11).

    Args:
        counts: how often each class is a label in training.
        n_clips: of training: `p` is then the share of the clips that have the label; None: of all labels.
        beta: 0: all weigh 1; 1: odds are made equal.
        formula: `paper`, as above; `code`: the released code's, with the second quotient upside down.

    Returns:
        float64; a class as common as the mean weighs 1, and so does one without any label, which the mean leaves out.

    Raises:
        WsedError: a count is below 0, or a class has all labels; or the formula is unknown.

    >>> class_weights([30.0, 10.0], beta=1.0)
    tensor([0.3333, 3.0000], dtype=torch.float64)
    """
    check_option("class_weights", "formula", formula, FORMULAS)
    number = torch.as_tensor(counts, dtype=torch.float64)
    share = number / (number.sum() if n_clips is None else n_clips)
    wrong = ((share < 0) | (share >= 1)).nonzero().flatten().tolist()
    if wrong or not len(share):
        of = "all labels; give n_clips" if n_clips is None else f"{n_clips} clips"
        where = f"class {wrong[0]} has {number[wrong[0]]:g}" if wrong else "there is none"
        raise WsedError(f"class_weights.counts must be 0 or more and below those of {of}, but {where}")
    known = number > 0
    mean = share[known].mean()
    other = (1 - share) / (1 - mean)
    weights = (mean / share * (other if formula == "paper" else 1 / other)) ** beta
    return torch.where(known, weights, 1.0)


@dataclass(frozen=True)
class ClassWeights:
    """Class weights as a setting of a loss: `class_weights: {}`, or `class_weights: {counts: [345, 313, ...]}`.

    Args:
        counts: how often each class is a label in training, in the order of the classes; None: `wsed fit` counts the
            training clips. Outside training classes then all weigh 1.
        n_clips: of training; None: shares are of all labels (see `class_weights`).
        beta: 0: all weigh 1; 1: odds are made equal.
        formula: `paper`: its own, on both terms of the cross-entropy; `code`: the released code's, on the term of `y`
            alone.

    >>> ClassWeights([30.0, 10.0], beta=1.0).weights()[0]
    tensor([0.3333, 3.0000])
    """

    counts: list[float] | None = None
    n_clips: int | None = None
    beta: float = 0.3
    formula: str = "paper"

    def weights(self) -> Weights:
        """What the two terms weigh, each `[label]`, float32; of known counts."""
        positive = class_weights(self.counts or (), self.n_clips, self.beta, self.formula).float()
        return positive, positive if self.formula == "paper" else torch.ones_like(positive)


class ClassWeighted(Loss):
    """A cross-entropy that may weigh classes.

    Args:
        class_weights: all classes weigh 1 if None.

    Raises:
        WsedError: a count is below 0, or a class has all labels (see `class_weights`); in training: there are not as
            many as classes.
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
        """Whether it is known how common classes are, if it matters."""
        return self.setting is None or self.setting.counts is not None

    def learn(self, train: TrainingSet) -> None:
        """Count the training clips of each class."""
        self.count(train.label_counts())

    def count(self, counts: Sequence[float]) -> None:
        """Weigh classes by how many training clips have each tag."""
        if self.setting is None:
            return
        if absent := sum(n == 0 for n in counts):
            message = f"{absent} of {len(counts)} classes have no training clip: class_weights lets them weigh 1"
            warnings.warn(message, stacklevel=2)
        self.setting = replace(self.setting, counts=list(counts))
        self.positive, self.negative = self.setting.weights()

    def weights(self, tags: Float[Tensor, "clip label"]) -> Weights | None:
        """What the two terms weigh, each `[label]`; None if all weigh 1."""
        positive, negative = self.positive, self.negative
        if not isinstance(positive, Tensor) or not isinstance(negative, Tensor):
            return None
        if len(positive) != tags.shape[1]:
            raise WsedError(f"class_weights.counts has {len(positive)} values for {tags.shape[1]} labels")
        return positive.to(tags.device), negative.to(tags.device)  # counted ones come after the move
