"""The frame pairwise distance loss: frames of two clips should be close if they hold the same events, else distant."""

from typing import Literal, NamedTuple

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.losses.base import LOSSES, Loss
from wsed.ops.frame_pairs import Cost, Silence, frame_categories, gather_clips, pair_sum, share_frames
from wsed.ops.reduce import world_size
from wsed.types import Batch, Needs, Output

Metric = Literal["euclidean", "ip"]
Reduction = Literal["mean", "sum", "mean_per_category"]
Pairs = Literal["all", "real", "synthetic", "cross"]
Wps = Literal["self", "teacher", "none"]


class Costs(NamedTuple):
    """Costs of pairs of frames from their inner products, see `wsed.ops.frame_pairs.Cost`.

    Args:
        positive: cost of a positive pair.
        negative: cost of a negative pair.
        of_differences: both depend on `a - b` alone, as distances do; see `wsed.ops.frame_pairs.pair_sum`.
    """

    positive: Cost
    negative: Cost
    of_differences: bool = False


@checked
def fpd(
    embeddings: Float[Tensor, "clip frame dim"],
    frame_labels: Float[Tensor, "clip frame label"],
    valid: Bool[Tensor, "clip frame"] | None = None,
    tags: Float[Tensor, "clip label"] | None = None,
    strong: Bool[Tensor, " clip"] | None = None,
    known: Bool[Tensor, "clip label"] | None = None,
    *,
    metric: Metric = "euclidean",
    alpha: float = 0.1,
    reduction: Reduction = "mean",
    silence: Silence = "background",
    pairs: Pairs = "all",
    costs: Costs | None = None,
    gather: bool = True,
) -> Float[Tensor, ""]:
    """Costs of the distances between frames of two clips at the same time index (Tao, Huang et al. 2023, Eq. 1-6).

    A pair of frames is positive if their sets of labels are equal and negative if the sets are disjoint. Other pairs
    are not used. With the similarity `S = 1 / (1 + d)` of the Euclidean distance `d`, `metric: euclidean` costs
    `(1 - S)^2` for a positive pair and `[S - alpha]_+` for a negative pair: with the margin 0.1, negative pairs are
    pushed to a distance of 9. With the cosine `c`, `metric: ip` costs `[alpha - c]_+ + (1 - c)^2` for a positive pair
    and `[alpha + c]_+` for a negative pair; the cosine with a zero embedding is 0. The equations as printed, and other
    readings of them, are in `experiments/fpd/readings.py`.

    Args:
        embeddings: one per frame, any float type; computed in float64.
        frame_labels: above 0 where a class is active.
        valid: frames that count, all if None; the values of other frames do not matter.
        tags: if not None, the tags of the two clips must be equal (or disjoint) too.
        strong: clips with events (strong labels), which count as synthetic for `pairs`.
        known: classes whose labels and tags are known, per clip; all if None. A pair is negative only if each class
            that is active in one frame is known to be absent in the other.
        metric: `euclidean` or `ip` (inner product).
        alpha: the margin, in (0, 1).
        reduction: `mean` over the pairs used; `sum`; `mean_per_category`: the mean over the positive pairs plus the
            mean over the negative pairs.
        silence: what to do with frames without labels: `background` (a class of its own, so that the borders of events
            count), `negative` or `ignore`; see `wsed.ops.frame_pairs.frame_categories`.
        pairs: pairs of clips that are used: `all`, `synthetic` (both are strong), `real` (neither is) or `cross` (one
            is).
        costs: costs of positive and of negative pairs; by `metric` and `alpha` if None.
        gather: also pair clips of different ranks, as one process would. Every rank must call it.

    Returns:
        0-d, at least float32, exact over ranks like `wsed.ops.reduce.masked_mean`; a zero attached to the graph if no
        pair is used. Differentiable once; the gradient of a distance of 0 is 0.

    Raises:
        WsedError: an option has an unknown name, or `pairs` needs `strong` and it is None.

    >>> fpd(torch.zeros(2, 1, 3), torch.ones(2, 1, 1))
    tensor(0.)
    """
    costs = costs or (euclidean(alpha) if metric == "euclidean" else inner_product(alpha))
    if valid is None:
        valid = torch.ones(embeddings.shape[:2], dtype=torch.bool, device=embeddings.device)
    with torch.autocast(embeddings.device.type, enabled=False):  # bfloat16 cannot count above 256 labels
        if gather and world_size() > 1:
            embeddings, frame_labels, valid = share_frames(embeddings, frame_labels, valid)
            tags, strong, known = (None if value is None else gather_clips(value) for value in (tags, strong, known))
        categories = frame_categories(frame_labels, valid, tags, _chosen(strong, pairs), known, silence=silence)
        total = pair_sum(embeddings, valid, categories, _weights(categories, reduction), *costs)
    return total.to(torch.promote_types(embeddings.dtype, torch.float32))


def euclidean(alpha: float) -> Costs:
    """Costs of positive and of negative pairs by the Euclidean distance (Tao, Huang et al. 2023, Eq. 1 to 3).

    Eq. 1 is a similarity, `S = 1 / (1 + d)`, and the text asks for close positive and distant negative pairs. So
    positive pairs cost `(1 - S)^2` and negative pairs `[S - alpha]_+`. Costs take the inner products `a.b`, `a.a` and
    `b.b` of pairs of frames, see `wsed.ops.frame_pairs.Cost`.

    >>> positive, negative, _ = euclidean(alpha=0.1)
    >>> pair = torch.tensor(0.0), torch.tensor(1.0), torch.tensor(0.0)
    >>> positive(*pair), negative(*pair)
    (tensor(0.2500), tensor(0.4000))
    """

    def similarity(*products: Tensor) -> Tensor:
        return 1 / (1 + distance(*products))

    def positive(*products: Tensor) -> Tensor:
        d = distance(*products)
        return (d / (1 + d)).square()  # 1 - S would round small distances away

    return Costs(positive, (lambda *products: (similarity(*products) - alpha).relu()), of_differences=True)


def inner_product(alpha: float) -> Costs:
    """Costs of positive and of negative pairs by the cosine (Tao, Huang et al. 2023, Eq. 5 and 6).

    The sign of Eq. 6 is the one that pulls positive pairs together.

    >>> positive, negative, _ = inner_product(alpha=0.1)
    >>> negative(torch.tensor(1.0), torch.tensor(1.0), torch.tensor(1.0))
    tensor(1.1000)
    """

    def positive(*products: Tensor) -> Tensor:
        c = cosine(*products)
        return (alpha - c).relu() + (1 - c).square()

    return Costs(positive, lambda *products: (alpha + cosine(*products)).relu())


def distance(ab: Tensor, aa: Tensor, bb: Tensor) -> Tensor:
    """Euclidean distance of `a` and `b` from their inner products; 0 without a gradient if they are equal.

    >>> distance(torch.tensor([0.0]), torch.tensor([9.0]), torch.tensor([16.0]))
    tensor([5.])
    """
    energy = aa + bb
    square = energy - 2 * ab
    same = square <= 1e-13 * energy  # what rounding leaves of two equal frames
    return square.masked_fill(same, 1.0).sqrt().masked_fill(same, 0.0)


def cosine(ab: Tensor, aa: Tensor, bb: Tensor) -> Tensor:
    """Cosine of the angle between `a` and `b` from their inner products; 0 if one of them is zero.

    >>> cosine(torch.tensor([6.0]), torch.tensor([9.0]), torch.tensor([16.0]))
    tensor([0.5000])
    """
    aa, bb = (torch.where(energy > 1e-12, energy, 1.0) for energy in (aa, bb))
    return ab * (aa * bb).rsqrt()


def _chosen(strong: Tensor | None, pairs: Pairs) -> Tensor | None:
    """The pairs of clips that are used, `[clip clip]`; None if all are."""
    if pairs == "all":
        return None
    if strong is None:
        raise WsedError(f"fpd: pairs {pairs!r} needs `strong`: the clips that are synthetic")
    if pairs == "cross":
        return strong[:, None] != strong
    side = strong if pairs == "synthetic" else ~strong
    return side[:, None] & side


def _weights(categories: Tensor, reduction: Reduction) -> Tensor:
    """Weights of positive and of negative pairs, `[2]`: ranks / count over all ranks, as in `masked_mean`."""
    ranks = world_size()
    counts = torch.stack([(categories == 1).sum(), (categories == -1).sum()]).double()
    if ranks > 1:
        dist.all_reduce(counts)
    if reduction == "mean":
        counts = counts.sum().expand(2)
    return ranks * (torch.ones_like(counts) if reduction == "sum" else 1 / counts.clamp(min=1))


def pseudo_strong(
    scores: Float[Tensor, "clip frame label"], tags: Float[Tensor, "clip label"], low: float = 0.5, high: float = 0.5
) -> tuple[Float[Tensor, "clip frame label"], Bool[Tensor, "clip frame"]]:
    """Weak pseudo-strong labels (WPS): frame labels made from tags and frame scores (Tao, Huang et al. 2023).

    A class of the clip is active in a frame if it scores `high` or more and inactive if it scores less than `low`.
    In between, the frame is uncertain.

    Args:
        scores: probabilities; they get no gradient.
        tags: above 0 for the classes of the clip.
        low: limit below which a class is inactive.
        high: limit from which a class is active; at least `low`.

    Returns:
        labels, and the frames that are certain for all classes of the clip.

    >>> pseudo_strong(torch.tensor([[[0.9, 0.1]]]), torch.ones(1, 2))[0]
    tensor([[[1., 0.]]])
    """
    scores, tagged = scores.detach(), (tags > 0)[:, None]
    uncertain = tagged & (scores >= low) & (scores < high)
    return (tagged & (scores >= high)).float(), ~uncertain.any(2)


@LOSSES.register("fpd")
class FPD(Loss):
    """The frame pairwise distance loss on frame embeddings (Tao, Huang et al. 2023).

    Frame labels of `timed` classes come from the events. Frame labels of classes that are only `tagged` are made from
    frame scores (`pseudo_strong`) from the epoch `wps_start_epoch` on; before that, and with `wps: none`, they are
    unknown. Only known classes of a clip are compared (see `known` in `fpd`); clips without a known class are left
    out.

    Args:
        metric: `euclidean` or `ip` (inner product); see `fpd` for this argument and the next three.
        alpha: the margin.
        silence: what to do with frames without labels: `background`, `negative` or `ignore`.
        pairs: pairs of clips that are used: `all`, `synthetic` (both are timed), `real` (neither is) or `cross` (one
            is).
        wps: the frame scores that make labels of tagged classes: `self` (this network's), `teacher` or `none`. The
            network `mean_teacher` (`wsed/models/teacher.py`) provides a teacher: the running mean of the network's
            weights, or with its setting `pretrained: CHECKPOINT` a network that was trained before.
        wps_start_epoch: the first epoch with such labels; epochs count from 0.
        gather: also pair clips of different ranks, so that several processes train as one does; without it less is
            exchanged.

    Raises:
        WsedError: an option is unknown, or contradicts another.

    >>> from wsed.testing import batch, output
    >>> inputs = batch()
    >>> FPD()(output(inputs), inputs).shape
    torch.Size([])
    """

    # readings of Tao, Huang et al. 2023 (experiments/fpd/readings.py) set these
    reduction: Reduction = "mean"
    level: Literal["frame", "clip_and_frame"] = "frame"
    wps_low, wps_high = 0.5, 0.5

    def __init__(
        self,
        metric: Metric = "euclidean",
        alpha: float = 0.1,
        silence: Silence = "background",
        pairs: Pairs = "all",
        wps: Wps = "self",
        wps_start_epoch: int = 5,
        gather: bool = True,
    ) -> None:
        super().__init__()
        if wps == "none" and pairs in ("real", "cross"):
            raise WsedError(f"fpd: pairs {pairs!r} pairs clips that are only tagged, which wps 'none' leaves out")
        self.costs = euclidean(alpha) if metric == "euclidean" else inner_product(alpha)
        self.silence, self.pairs, self.gather = silence, pairs, gather
        self.wps, self.wps_start_epoch = wps, wps_start_epoch
        self.needs = Needs(output=_fields(wps), known=_known(pairs, wps))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        labels, known, certain = self._labels(output, batch)
        tags = None
        if self.level == "clip_and_frame":
            tags = torch.where(batch.timed, labels.amax(1), batch.clip_labels)
        return fpd(
            output.need("embeddings"),
            labels,
            certain if output.valid is None else certain & output.valid,
            tags,
            batch.timed.any(1),
            known,
            costs=self.costs,
            reduction=self.reduction,
            silence=self.silence,
            pairs=self.pairs,
            gather=self.gather,
        )

    def _labels(self, output: Output, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Frame labels, the classes of each clip that are known, and the frames whose labels are certain."""
        n_frames = output.need("embeddings").shape[1]
        labels = batch.frame_labels(n_frames, output.rate, output.valid)
        labeller = output if self.wps == "self" else output.teacher  # there is a teacher in training only
        if self.wps == "none" or self.epoch < self.wps_start_epoch or labeller is None:
            return labels, batch.timed, batch.timed.any(1, keepdim=True).expand(-1, n_frames)
        only_tagged, known = batch.tagged & ~batch.timed, batch.tagged | batch.timed
        tags = torch.where(only_tagged, batch.clip_labels, 0.0)
        pseudo, certain = pseudo_strong(labeller.frame_scores, tags, self.wps_low, self.wps_high)
        return torch.where(only_tagged[:, None], pseudo, labels), known, certain & known.any(1, keepdim=True)


def _fields(wps: Wps) -> frozenset[str]:
    labelling = {"self": {"frame_logits"}, "teacher": {"teacher"}, "none": set[str]()}
    return frozenset({"embeddings"} | labelling[wps])


def _known(pairs: Pairs, wps: Wps) -> frozenset[str]:
    """What must be known of clips: tags are enough for `all` if `wps` makes frame labels of them."""
    if pairs in ("real", "cross"):
        return frozenset({"only_tagged"} if pairs == "real" else {"only_tagged", "timed"})
    return frozenset({"timed" if pairs == "synthetic" or wps == "none" else "tagged"})
