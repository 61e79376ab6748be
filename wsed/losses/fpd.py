"""The frame pairwise distance loss: frames of two clips should be near where they hold the same events, else apart."""

from typing import Literal

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.losses.base import LOSSES, Loss
from wsed.ops.frame_pairs import Cost, frame_categories, gather_clips, pair_sum, share_frames
from wsed.ops.reduce import world_size
from wsed.types import Batch, Needs, Output

Metric = Literal["euclidean", "ip"]
Reduction = Literal["mean", "sum", "mean_per_category"]
Silence = Literal["ignore", "negative", "background"]
Pairs = Literal["all", "real", "synthetic", "cross"]
Wps = Literal["self", "teacher", "none"]
Costs = tuple[Cost, Cost]
"""Of positive and of negative pairs."""


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
    silence: Silence = "ignore",
    pairs: Pairs = "all",
    costs: Costs | None = None,
    gather: bool = False,
) -> Float[Tensor, ""]:
    """Cost of the distances of frames at the same time index of two clips (Tao, Huang et al. 2023, Eq. 1-6).

    A pair is positive where its label sets are equal, negative where they are disjoint, else it is not used. With the
    Euclidean distance `d`, `metric: euclidean` costs `(d / (1 + d))^2` for a positive pair and
    `[alpha - d / (1 + d)]_+` for a negative one. With the cosine `c`, `metric: ip` costs `[alpha - c]_+ + (1 - c)^2`
    for a positive pair and `[alpha + c]_+` for a negative one; the cosine with a zero frame is 0. The equations as they
    are printed, and other readings of them, are in `experiments/fpd/readings.py`.

    Args:
        embeddings: one of each frame, any float type; the work is done in float64.
        frame_labels: above 0 where a class is active.
        valid: frames that count; a frame that is not valid may hold anything.
        tags: if given, label sets of the clips must be equal (disjoint) too.
        strong: clips that count as synthetic for `pairs`.
        known: classes of a clip whose labels (and tags) are known; all if None. A pair is negative only where each
            class that is active in one frame is known to be absent in the other.
        metric: `euclidean` or `ip` (inner product).
        alpha: the margin.
        reduction: `mean` over the pairs used; `sum`; `mean_per_category`, the mean over the positive pairs plus the
            mean over the negative ones.
        silence: frames without any label: `ignore`, `negative` or `background`, see
            `wsed.ops.frame_pairs.frame_categories`.
        pairs: of clips: `all`, `synthetic` (both are strong), `real` (neither is), `cross` (one is).
        costs: of positive and of negative pairs, instead of those of `metric` and `alpha`.
        gather: pair the clips of all ranks, not only those of this one. All ranks must call it.

    Returns:
        0-d, float32 or wider: exact over ranks, as `wsed.ops.reduce.masked_mean` is. A zero with a graph where
        no pair is used. Differentiable once; the gradient of a distance of 0 is 0.

    Raises:
        WsedError: an option has an unknown name, or `pairs` asks for `strong` and it is not given.
    """
    costs = costs or (euclidean(alpha) if metric == "euclidean" else inner_product(alpha))
    if valid is None:
        valid = torch.ones(embeddings.shape[:2], dtype=torch.bool, device=embeddings.device)
    with torch.autocast(embeddings.device.type, enabled=False):  # label sets of 257 classes count to 256 in bfloat16
        if gather and world_size() > 1:
            embeddings, frame_labels, valid = share_frames(embeddings, frame_labels, valid)
            tags, strong, known = (None if value is None else gather_clips(value) for value in (tags, strong, known))
        categories = frame_categories(frame_labels, valid, tags, _chosen(strong, pairs), known, silence=silence)
        total = pair_sum(embeddings, valid, categories, _weights(categories, reduction), *costs)
    return total.to(torch.promote_types(embeddings.dtype, torch.float32))


def euclidean(alpha: float) -> Costs:
    """Costs of positive and of negative pairs by the Euclidean distance (Tao, Huang et al. 2023, Eq. 3)."""

    def bounded(*products: Tensor) -> Tensor:
        d = distance(*products)
        return d / (1 + d)

    return (lambda *products: bounded(*products).square()), (lambda *products: (alpha - bounded(*products)).relu())


def inner_product(alpha: float) -> Costs:
    """The same by the cosine of two frames (ibid., Eq. 5 and 6, with the sign that draws positive pairs together)."""

    def positive(*products: Tensor) -> Tensor:
        c = cosine(*products)
        return (alpha - c).relu() + (1 - c).square()

    return positive, (lambda *products: (alpha + cosine(*products)).relu())


def distance(ab: Tensor, aa: Tensor, bb: Tensor) -> Tensor:
    """Euclidean distance of `a` and `b` from their inner products; 0 without a gradient where they are equal."""
    energy = aa + bb
    square = energy - 2 * ab
    same = square <= 1e-13 * energy  # what rounding leaves of two equal frames
    return square.masked_fill(same, 1.0).sqrt().masked_fill(same, 0.0)


def cosine(ab: Tensor, aa: Tensor, bb: Tensor) -> Tensor:
    """Cosine of the angle between `a` and `b` from their inner products; 0 with a zero frame."""
    aa, bb = (torch.where(energy > 1e-12, energy, 1.0) for energy in (aa, bb))
    return ab * (aa * bb).rsqrt()


def _chosen(strong: Tensor | None, pairs: Pairs) -> Tensor | None:
    if pairs == "all":
        return None
    if strong is None:
        raise WsedError(f"fpd: pairs {pairs!r} needs `strong`, which clips are synthetic")
    if pairs == "cross":
        return strong[:, None] != strong
    side = strong if pairs == "synthetic" else ~strong
    return side[:, None] & side


def _weights(categories: Tensor, reduction: Reduction) -> Tensor:
    """What positive and negative pairs weigh, `[2]`: by the count of all ranks, times their number (`masked_mean`)."""
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
    """Frame labels of clips of which only tags are known: the tagged classes that score `high` or more (WPS, ibid.).

    Args:
        scores: probabilities; no gradient reaches them.
        tags: above 0 for the classes of the clip.
        low: from here to below `high`, it is left open whether a class is active.
        high: at least `low`.

    Returns:
        labels, and frames where no tagged class is left open.
    """
    scores, tagged = scores.detach(), (tags > 0)[:, None]
    open_ = tagged & (scores >= low) & (scores < high)
    return (tagged & (scores >= high)).float(), ~open_.any(2)


@LOSSES.register("fpd")
class FPD(Loss):
    """The frame pairwise distance loss on the embeddings (Tao, Huang et al. 2023).

    Labels of `timed` classes are the clip's events. Those of classes that are only `tagged` are made from the scores,
    from the epoch `wps_start_epoch` on; before, and with `wps: none`, they are unknown. Clips are compared by the
    classes that are known (see `known` in `fpd`); clips without a known class are left out.

    Args:
        metric: `euclidean` or `ip` (inner product); see `fpd` for this and the next three.
        alpha: the margin.
        silence: frames without events: `ignore`, `negative` or `background`.
        pairs: of clips: `all`, `synthetic` (both are timed), `real` (neither is), `cross` (one is).
        wps: whose frame scores make labels of tagged clips: `self`, the `teacher`'s, or `none`. With the network
            `mean_teacher` (`wsed/models/teacher.py`) the teacher is the running mean of the network's weights; a file
            (`pretrained: CHECKPOINT` there) makes it a network trained before.
        wps_start_epoch: the first epoch with such labels; epochs count from 0.
        gather: pair the clips of all ranks; otherwise those of each rank.

    Raises:
        WsedError: an option is unknown, or contradicts another.
    """

    reduction: Reduction = "mean"
    level: Literal["frame", "clip_and_frame"] = "frame"
    wps_low, wps_high = 0.5, 0.5

    def __init__(
        self,
        metric: Metric = "euclidean",
        alpha: float = 0.1,
        silence: Silence = "ignore",
        pairs: Pairs = "all",
        wps: Wps = "self",
        wps_start_epoch: int = 5,
        gather: bool = False,
    ) -> None:
        super().__init__()
        if wps == "none" and pairs in ("real", "cross"):
            raise WsedError(f"fpd: pairs {pairs!r} pairs clips that are only tagged, which wps 'none' leaves out")
        self.costs = euclidean(alpha) if metric == "euclidean" else inner_product(alpha)
        self.silence, self.pairs, self.gather = silence, pairs, gather
        self.wps, self.wps_start_epoch = wps, wps_start_epoch
        self.needs = Needs(output=_fields(wps), known=_known(pairs, wps))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        labels, known, sure = self._labels(output, batch)
        tags = None
        if self.level == "clip_and_frame":
            tags = torch.where(batch.timed, labels.amax(1), batch.clip_labels)
        return fpd(
            output.need("embeddings"),
            labels,
            sure if output.valid is None else sure & output.valid,
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
        """Frame labels, the classes of each clip where they are known, and the frames that count."""
        n_frames = output.need("embeddings").shape[1]
        labels = batch.frame_labels(n_frames, output.rate)
        judge = output if self.wps == "self" else output.teacher
        if self.wps == "none" or self.epoch < self.wps_start_epoch or judge is None:  # teachers judge in training only
            return labels, batch.timed, batch.timed.any(1, keepdim=True).expand(-1, n_frames)
        only_tagged, known = batch.tagged & ~batch.timed, batch.tagged | batch.timed
        tags = torch.where(only_tagged, batch.clip_labels, 0.0)
        pseudo, sure = pseudo_strong(judge.frame_scores, tags, self.wps_low, self.wps_high)
        return torch.where(only_tagged[:, None], pseudo, labels), known, sure & known.any(1, keepdim=True)


def _fields(wps: Wps) -> frozenset[str]:
    judged = {"self": {"frame_logits"}, "teacher": {"teacher"}, "none": set[str]()}
    return frozenset({"embeddings"} | judged[wps])


def _known(pairs: Pairs, wps: Wps) -> frozenset[str]:
    """Tagged clips are enough for `all` where they get labels, and timed ones have tags as well."""
    if pairs in ("real", "cross"):
        return frozenset({"only_tagged"} if pairs == "real" else {"only_tagged", "timed"})
    return frozenset({"timed" if pairs == "synthetic" or wps == "none" else "tagged"})
