"""The frame pairwise distance loss: frames of two clips should be near where they hold the same events, else apart."""

from functools import partial

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.losses.base import LOSSES, Loss
from wsed.ops.frame_pairs import Cost, frame_categories, gather_clips, pair_sum, share_frames
from wsed.ops.reduce import world_size
from wsed.registry import check_options
from wsed.types import Batch, Needs, Output

OPTIONS = {
    "metric": ("euclidean", "ip"),
    "mode": ("distance", "similarity", "raw", "literal"),
    "sign": ("corrected", "literal"),
    "norm_on": ("positive", "all", "none"),
    "reduction": ("mean", "sum", "mean_per_category"),
    "silence": ("ignore", "negative", "background"),
    "pairs": ("all", "real", "synthetic", "cross"),
    "level": ("frame", "clip_and_frame"),
    "wps": ("self", "teacher", "none"),
}
"""What each option may be; the default stands first."""

METRIC_OF = {"mode": "euclidean", "sign": "ip", "norm_on": "ip"}
"""Options that belong to one metric."""


def fpd(
    embeddings: Float[Tensor, "clip frame dim"],
    frame_labels: Float[Tensor, "clip frame label"],
    valid: Bool[Tensor, "clip frame"] | None = None,
    tags: Float[Tensor, "clip label"] | None = None,
    strong: Bool[Tensor, " clip"] | None = None,
    known: Bool[Tensor, "clip label"] | None = None,
    *,
    metric: str = "euclidean",
    mode: str = "distance",
    sign: str = "corrected",
    norm_on: str = "positive",
    alpha: float = 0.1,
    reduction: str = "mean",
    silence: str = "ignore",
    pairs: str = "all",
    gather: bool = False,
) -> Float[Tensor, ""]:
    """Cost of the distances of frames at the same time index of two clips (Tao, Huang et al. 2023, Eq. 1-6).

    A pair is positive where its label sets are equal, negative where they are disjoint, else it is not used. With
    `d = |a - b|` and `S = 1 / (1 + d)`, `metric: euclidean` costs, by `mode`:

    | mode | positive | negative | |
    |---|---|---|---|
    | distance | `(1 - S)^2` | `[alpha - (1 - S)]_+` | Eq. 3 of the distance `1 - S` |
    | similarity | `(1 - S)^2` | `[S - alpha]_+` | as `distance` with `1 - alpha` |
    | raw | `d^2` | `[alpha - d]_+` | Eq. 3 of the distance `d` |
    | literal | `S^2` | `[alpha - S]_+` | as printed: drives positive pairs apart, negative pairs together |

    `metric: ip` costs, with `D` minus the cosine of `a` and `b` (`sign: literal`, as printed: the cosine),
    `[alpha + D]_+` for positive pairs, `[alpha - D]_+` for negative ones, and `(1 + D)^2` for those of `norm_on`
    (Eq. 5 and 6). The cosine with a zero frame is 0.

    Args:
        embeddings: one of each frame, any float type; the work is done in float64.
        frame_labels: above 0 where a class is active.
        valid: frames that count; a frame that is not valid may hold anything.
        tags: if given, label sets of the clips must be equal (disjoint) too.
        strong: clips that count as synthetic for `pairs`.
        known: classes of a clip whose labels (and tags) are known; all if None. A pair is negative only where each
            class that is active in one frame is known to be absent in the other.
        metric: `euclidean` or `ip` (inner product).
        mode: of `euclidean`, see above.
        sign: of `ip`: `corrected` or `literal`.
        norm_on: of `ip`: pairs that bear `(1 + D)^2`: `positive`, `all` that are used, or `none`.
        alpha: the margin.
        reduction: `mean` over the pairs used; `sum`; `mean_per_category`, the mean over the positive pairs plus the
            mean over the negative ones.
        silence: frames without any label: `ignore`, `negative` or `background`, see
            `wsed.ops.frame_pairs.frame_categories`.
        pairs: of clips: `all`, `synthetic` (both are strong), `real` (neither is), `cross` (one is).
        gather: pair the clips of all ranks, not only those of this one. All ranks must call it.

    Returns:
        0-d, float32 or wider: exact over ranks, as `wsed.ops.reduce.masked_mean` is. A zero with a graph where
        no pair is used. Differentiable once; the gradient of a distance of 0 is 0.

    Raises:
        WsedError: an option has an unknown name, or `pairs` asks for `strong` and it is not given.
    """
    check_options("fpd", OPTIONS, metric=metric, mode=mode, sign=sign, norm_on=norm_on)
    check_options("fpd", OPTIONS, reduction=reduction, silence=silence, pairs=pairs)
    costs = _euclidean(mode, alpha) if metric == "euclidean" else _inner_product(sign, norm_on, alpha)
    if valid is None:
        valid = torch.ones(embeddings.shape[:2], dtype=torch.bool, device=embeddings.device)
    with torch.autocast(embeddings.device.type, enabled=False):  # label sets of 257 classes count to 256 in bfloat16
        if gather and world_size() > 1:
            embeddings, frame_labels, valid = share_frames(embeddings, frame_labels, valid)
            tags, strong, known = (None if value is None else gather_clips(value) for value in (tags, strong, known))
        categories = frame_categories(frame_labels, valid, tags, _chosen(strong, pairs), known, silence=silence)
        total = pair_sum(embeddings, valid, categories, _weights(categories, reduction), *costs)
    return total.to(torch.promote_types(embeddings.dtype, torch.float32))


def _euclidean(mode: str, alpha: float) -> tuple[Cost, Cost]:
    """Costs of positive and of negative pairs."""

    def distance(ab: Tensor, aa: Tensor, bb: Tensor) -> Tensor:
        energy = aa + bb
        square = energy - 2 * ab
        same = square <= 1e-13 * energy  # what rounding leaves of two equal frames
        d = square.masked_fill(same, 1.0).sqrt().masked_fill(same, 0.0)
        if mode == "raw":
            return d
        return 1 / (1 + d) if mode == "literal" else d / (1 + d)

    margin = 1 - alpha if mode == "similarity" else alpha
    return (lambda *products: distance(*products).square()), (lambda *products: (margin - distance(*products)).relu())


def _inner_product(sign: str, norm_on: str, alpha: float) -> tuple[Cost, Cost]:
    """Costs of positive and of negative pairs."""

    def cost(hinge: int, normed: bool, ab: Tensor, aa: Tensor, bb: Tensor) -> Tensor:
        aa, bb = (torch.where(energy > 1e-12, energy, 1.0) for energy in (aa, bb))
        d = ab * (aa * bb).rsqrt()
        d = -d if sign == "corrected" else d
        near = (alpha + hinge * d).relu()
        return near + (1 + d).square() if normed else near

    return partial(cost, 1, norm_on != "none"), partial(cost, -1, norm_on == "all")


def _chosen(strong: Tensor | None, pairs: str) -> Tensor | None:
    if pairs == "all":
        return None
    if strong is None:
        raise WsedError(f"fpd: pairs {pairs!r} needs `strong`, which clips are synthetic")
    if pairs == "cross":
        return strong[:, None] != strong
    side = strong if pairs == "synthetic" else ~strong
    return side[:, None] & side


def _weights(categories: Tensor, reduction: str) -> Tensor:
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
        metric: `euclidean` or `ip` (inner product).
        mode: of `euclidean`: `distance`, `similarity`, `raw` or `literal`; see `fpd` for these and the next.
        sign: of `ip`: `corrected` or `literal`.
        norm_on: of `ip`: `positive`, `all` or `none`.
        alpha: the margin.
        reduction: `mean`, `sum` or `mean_per_category`.
        level: `frame`, or `clip_and_frame`: the label sets of the two clips must be equal (disjoint) too.
        silence: frames without events: `ignore`, `negative` or `background`.
        pairs: of clips: `all`, `synthetic` (both are timed), `real` (neither is), `cross` (one is).
        wps: whose frame scores make labels of tagged clips: `self`, the `teacher`'s, or `none`. With the network
            `mean_teacher` (`wsed/models/teacher.py`) the teacher is the running mean of the network's weights; a file
            (`pretrained: CHECKPOINT` there) makes it a network trained before.
        wps_low: frames where a tagged class scores from here to below `wps_high` are left out.
        wps_high: a tagged class is active where it scores this or more.
        wps_start_epoch: the first epoch with such labels; epochs count from 0.
        gather: pair the clips of all ranks; otherwise those of each rank.

    Raises:
        WsedError: an option is unknown, contradicts another, or belongs to the other metric.
    """

    def __init__(
        self,
        metric: str = "euclidean",
        mode: str = "distance",
        sign: str = "corrected",
        norm_on: str = "positive",
        alpha: float = 0.1,
        reduction: str = "mean",
        level: str = "frame",
        silence: str = "ignore",
        pairs: str = "all",
        wps: str = "self",
        wps_low: float = 0.5,
        wps_high: float = 0.5,
        wps_start_epoch: int = 5,
        gather: bool = False,
    ) -> None:
        super().__init__()
        self.formula = {"metric": metric, "mode": mode, "sign": sign, "norm_on": norm_on}
        self.choice = {"reduction": reduction, "silence": silence, "pairs": pairs}
        check_options("fpd", OPTIONS, **self.formula, **self.choice, level=level, wps=wps)
        for option, owner in METRIC_OF.items():
            if metric != owner and self.formula[option] != OPTIONS[option][0]:
                raise WsedError(f"fpd: {option} belongs to metric {owner}, and metric is {metric}: leave {option} out")
        if wps == "none" and pairs in ("real", "cross"):
            raise WsedError(f"fpd: pairs {pairs!r} pairs clips that are only tagged, which wps 'none' leaves out")
        if not 0 <= wps_low <= wps_high <= 1:
            raise WsedError(f"fpd: 0 <= wps_low <= wps_high <= 1 is asked, not {wps_low} and {wps_high}")
        self.alpha, self.gather, self.level = alpha, gather, level
        self.wps, self.wps_low, self.wps_high, self.wps_start_epoch = wps, wps_low, wps_high, wps_start_epoch
        self.needs = Needs(output=_fields(wps), known=_known(pairs, wps))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        assert output.embeddings is not None, "checked by SEDTask"
        labels, known, sure = self._labels(output, batch)
        tags = None
        if self.level == "clip_and_frame":
            tags = torch.where(batch.timed, labels.amax(1), batch.clip_labels)
        return fpd(
            output.embeddings,
            labels,
            sure if output.valid is None else sure & output.valid,
            tags,
            batch.timed.any(1),
            known,
            **self.formula,
            **self.choice,
            alpha=self.alpha,
            gather=self.gather,
        )

    def _labels(self, output: Output, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Frame labels, the classes of each clip where they are known, and the frames that count."""
        assert output.embeddings is not None
        assert output.frame_rate is not None, "a network states its frame rate"
        n_frames = output.embeddings.shape[1]
        labels = batch.frame_labels(n_frames, output.frame_rate)
        judge = output if self.wps == "self" else output.teacher
        if self.wps == "none" or self.epoch < self.wps_start_epoch or judge is None:  # teachers judge in training only
            return labels, batch.timed, batch.timed.any(1, keepdim=True).expand(-1, n_frames)
        only_tagged, known = batch.tagged & ~batch.timed, batch.tagged | batch.timed
        tags = torch.where(only_tagged, batch.clip_labels, 0.0)
        pseudo, sure = pseudo_strong(judge.frame_scores, tags, self.wps_low, self.wps_high)
        return torch.where(only_tagged[:, None], pseudo, labels), known, sure & known.any(1, keepdim=True)


def _fields(wps: str) -> frozenset[str]:
    judged = {"self": {"frame_logits"}, "teacher": {"teacher"}, "none": set[str]()}
    return frozenset({"embeddings"} | judged[wps])


def _known(pairs: str, wps: str) -> frozenset[str]:
    """Tagged clips are enough for `all` where they get labels, and timed ones have tags as well."""
    if pairs in ("real", "cross"):
        return frozenset({"only_tagged"} if pairs == "real" else {"only_tagged", "timed"})
    return frozenset({"timed" if pairs == "synthetic" or wps == "none" else "tagged"})
