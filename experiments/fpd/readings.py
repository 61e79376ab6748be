"""Readings of the frame pairwise distance loss (Tao, Huang et al. 2023) that the core does not offer.

The equations of the article contradict its text: as printed, Eq. 1 and Eq. 5 push positive pairs apart.
`ReadingFPD` is `wsed.losses.fpd.FPD` with each reading as an option, by import path in YAML:

    apart: {loss: {class_path: experiments.fpd.readings.ReadingFPD, init_args: {mode: literal}}}
"""

from functools import partial
from typing import Any, Literal, get_args

import torch
import torch.distributed as dist
from torch import Tensor

from wsed.errors import WsedError, check_option
from wsed.losses import fpd as core
from wsed.losses.fpd import FPD, Costs, Metric, Pairs, Reduction, Wps, cosine, distance
from wsed.ops.frame_pairs import Silence
from wsed.ops.reduce import world_size
from wsed.types import Batch, Output

Mode = Literal["similarity", "distance", "raw", "literal"]
Sign = Literal["corrected", "literal"]
NormOn = Literal["positive", "all", "none"]
Level = Literal["frame", "clip_and_frame"]

OPTIONS = {"mode": get_args(Mode), "sign": get_args(Sign), "norm_on": get_args(NormOn)}
OPTIONS |= {"reduction": get_args(Reduction), "level": get_args(Level)}
"""Values of each option; the first is the default."""

METRIC_OF = {"mode": "euclidean", "sign": "ip", "norm_on": "ip"}
"""Options that belong to one metric."""


def euclidean(mode: Mode, alpha: float) -> Costs:
    """Costs of positive and of negative pairs, with `d` the Euclidean distance and `S = 1 / (1 + d)`.

    | mode | positive | negative | |
    |---|---|---|---|
    | similarity | `(1 - S)^2` | `[S - alpha]_+` | the core's: with 0.1, negative pairs are pushed to a distance of 9 |
    | distance | `(1 - S)^2` | `[alpha - (1 - S)]_+` | Eq. 3 of the distance `1 - S`; as `similarity` with `1 - alpha` |
    | raw | `d^2` | `[alpha - d]_+` | Eq. 3 of the distance `d` |
    | literal | `S^2` | `[alpha - S]_+` | as printed: drives positive pairs apart, negative pairs together |

    With the printed margin 0.1, `distance` pushes negative pairs only while they are nearer than 0.111. Embeddings of a
    network start far beyond that (3.1 and more on soundscapes), so it never pushes anything apart: it only draws all
    embeddings together.
    """
    if mode in ("distance", "similarity"):
        return core.euclidean(alpha if mode == "similarity" else 1 - alpha)

    def far(*products: Tensor) -> Tensor:
        d = distance(*products)
        return d if mode == "raw" else 1 / (1 + d)

    return Costs(
        positive=lambda *products: far(*products).square(),
        negative=lambda *products: (alpha - far(*products)).relu(),
        of_differences=True,
    )


def inner_product(sign: Sign, norm_on: NormOn, alpha: float) -> Costs:
    """The same with `D` minus the cosine (`sign: literal`, as printed: the cosine).

    A positive pair costs `[alpha + D]_+`, a negative one `[alpha - D]_+`, and those of `norm_on` `(1 + D)^2` besides
    (Eq. 5 and 6); the core's are `corrected` and `positive`.
    """

    def cost(hinge: int, normed: bool, *products: Tensor) -> Tensor:
        d = cosine(*products) if sign == "literal" else -cosine(*products)
        near = (alpha + hinge * d).relu()
        return near + (1 + d).square() if normed else near

    return Costs(partial(cost, 1, norm_on != "none"), partial(cost, -1, norm_on == "all"))


def fpd(
    *inputs: Tensor | None,
    metric: Metric = "euclidean",
    mode: Mode = "similarity",
    sign: Sign = "corrected",
    norm_on: NormOn = "positive",
    alpha: float = 0.1,
    **options: Any,
) -> Tensor:
    """`wsed.losses.fpd.fpd` with the costs of a reading."""
    costs = euclidean(mode, alpha) if metric == "euclidean" else inner_product(sign, norm_on, alpha)
    return core.fpd(*inputs, costs=costs, **options)


class ReadingFPD(FPD):
    """`wsed.losses.fpd.FPD` with readings and variants as options.

    Args:
        metric: as in the core, as are alpha, silence, pairs, wps, wps_start_epoch, gather.
        mode: of `euclidean`, see `euclidean` above.
        sign: of `ip`, see `inner_product` above.
        norm_on: of `ip`: pairs that bear `(1 + D)^2`.
        reduction: `mean` over the pairs used; `sum`; `mean_per_category`, the mean over the positive pairs plus the
            mean over the negative ones.
        level: `frame`, or `clip_and_frame`: the label sets of the two clips must be equal (disjoint) too.
        wps_low: frames where a tagged class scores from here to below `wps_high` are left out.
        wps_high: a tagged class is active where it scores this or more.

    Raises:
        WsedError: an option is unknown, contradicts another, or belongs to the other metric.
    """

    def __init__(
        self,
        metric: Metric = "euclidean",
        mode: Mode = "similarity",
        sign: Sign = "corrected",
        norm_on: NormOn = "positive",
        alpha: float = 0.1,
        reduction: Reduction = "mean",
        level: Level = "frame",
        silence: Silence = "background",
        pairs: Pairs = "all",
        wps: Wps = "self",
        wps_low: float = 0.5,
        wps_high: float = 0.5,
        wps_start_epoch: int = 5,
        gather: bool = True,
    ) -> None:
        super().__init__(metric, alpha, silence, pairs, wps, wps_start_epoch, gather)
        chosen = {"mode": mode, "sign": sign, "norm_on": norm_on, "reduction": reduction, "level": level}
        for option, value in chosen.items():
            check_option("fpd", option, value, OPTIONS[option])
            owner = METRIC_OF.get(option, metric)
            if metric != owner and value != OPTIONS[option][0]:
                raise WsedError(f"fpd: {option} belongs to metric {owner}, and metric is {metric}: leave {option} out")
        if not 0 <= wps_low <= wps_high <= 1:
            raise WsedError(f"fpd: 0 <= wps_low <= wps_high <= 1 is asked, not {wps_low} and {wps_high}")
        self.costs = euclidean(mode, alpha) if metric == "euclidean" else inner_product(sign, norm_on, alpha)
        self.metric: Metric = metric
        self.reduction, self.level = reduction, level
        self.wps_low, self.wps_high = wps_low, wps_high


class LearnedMarginFPD(FPD):
    """FPD whose margin is learned: "determined through a training", as the article says without a formula.

    The article asks for a margin between 0 and 1 that spreads the distances of positive and negative pairs most. Here
    it is the middle between their mean similarities, `S` or the cosine, as a running mean over the steps. So a negative
    pair is pushed apart while it is more similar than that.

    Args:
        metric: as in the core, as are silence, pairs, wps, wps_start_epoch.
        alpha: the margin before the first step.
        momentum: of the running mean.
    """

    margin: Tensor

    def __init__(
        self,
        metric: Metric = "euclidean",
        alpha: float = 0.1,
        silence: Silence = "background",
        pairs: Pairs = "all",
        wps: Wps = "self",
        wps_start_epoch: int = 5,
        momentum: float = 0.99,
    ) -> None:
        super().__init__(metric, alpha, silence, pairs, wps, wps_start_epoch)
        self.metric: Metric = metric
        self.momentum = momentum
        self.register_buffer("margin", torch.tensor(alpha))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        if self.training:
            self._learn(output, batch)
        self.costs = margin_costs(self.metric, self.margin)
        return super().forward(output, batch)

    @torch.no_grad()
    def _learn(self, output: Output, batch: Batch) -> None:
        """Move the margin towards the middle of the mean similarities; it stays where a kind of pairs is missing."""
        self.reduction = "mean_per_category"
        means = []
        cost = partial(raised, self.metric)
        for costs in ((cost, nothing), (nothing, cost)):
            self.costs = Costs(*costs, of_differences=self.metric == "euclidean")
            means.append(super().forward(output, batch))
        self.reduction = "mean"
        found = torch.stack(means)
        if world_size() > 1:  # each process has its share of the mean
            dist.all_reduce(found)
            found /= world_size()
        moved = self.momentum * self.margin + (1 - self.momentum) * (found.mean() - 2).clamp(0, 1)
        self.margin.copy_(torch.where(found.min() > 0, moved, self.margin))


def similarity(metric: Metric, *products: Tensor) -> Tensor:
    """`1 / (1 + d)`, or the cosine."""
    return cosine(*products) if metric == "ip" else 1 / (1 + distance(*products))


def raised(metric: Metric, *products: Tensor) -> Tensor:
    """The similarity plus 2, so that the mean over no pairs, 0, is told from that over dissimilar pairs."""
    return similarity(metric, *products) + 2


def nothing(*products: Tensor) -> Tensor:
    """No cost, of all of them, so that each has a gradient."""
    return 0 * sum(products[1:], products[0])


def margin_costs(metric: Metric, margin: Tensor) -> Costs:
    """The core's cost of positive pairs, and `[similarity - margin]_+` of negative pairs."""
    costs = core.euclidean(0.0) if metric == "euclidean" else core.inner_product(0.0)
    return costs._replace(negative=lambda *products: (similarity(metric, *products) - margin).relu())
