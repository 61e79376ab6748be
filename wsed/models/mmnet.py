"""M&mnet: a macro and a micro subnet on one encoder, with an ensemble prediction of both."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.models.base import NETWORKS, EncoderFactory, Frontend, HeadFactory, Network
from wsed.models.encoders.resnet1d import ResNet1d
from wsed.models.frontends import LogMel
from wsed.models.heads.clip_attention import attention_over_time
from wsed.models.heads.macro import Macro
from wsed.models.heads.micro import Micro
from wsed.models.network import Composed
from wsed.ops.pooling import EPS, attention_pool
from wsed.registry import check_options
from wsed.types import Batch, Labels, Output

PRESETS: dict[str, dict[str, Any]] = {
    "code": {"ep_space": "logit", "ep_train": True, "detach_attention": True},
    "paper": {"ep_space": "prob", "ep_train": False, "detach_attention": False},
}
"""Options of the released code, and options that Chou, Jang & Yang 2018 describe."""

OPTIONS = {"preset": tuple(PRESETS), "ep_space": ("prob", "logit"), "ep_weights": ("softmax", "share")}


@NETWORKS.register("mmnet")
class MMNet(Composed):
    """A macro and a micro subnet on any encoder, with ensemble prediction (EP) of the two.

    Chou, Jang & Yang 2018, "Learning to recognize transient sound events using attentional supervision". Train it with
    the losses `clip_bce` (macro) and `micro`. If the encoder returns `levels`, as `resnet1d` does with `pyramid`, each
    level has a micro subnet of its own, whose outputs are the `levels` of the output (M&mnet-MS).

    The article and the released code train the attention differently. In the article, the micro loss trains it, and
    EP is used in tests only. In the code, the micro loss gets the attention without gradient, the macro loss reads the
    scores of EP, and so EP trains the attention. With `detach_attention`, EP therefore averages the micro subnets of
    all levels; otherwise it uses the one on the last map of the encoder.

    Args:
        labels: the classes.
        encoder: built as `encoder(n_bands)`.
        head: the heads of the two subnets; the last head is the micro subnet.
        frontend: the `LogMel` with its defaults if None.
        preset: defaults of `ep_space`, `ep_train` and `detach_attention`: `code` (logit, true, true) or `paper` (prob,
            false, false).
        ep: use EP as clip scores outside training; otherwise the scores of the macro subnet.
        mu: weight of the macro subnet in EP.
        ep_space: what EP averages over time and over subnets: probabilities (`prob`) or logits (`logit`).
        ep_weights: weights of frames in EP: the `softmax` of `a_t` over time, as printed, or the `share`
            `a_t / sum a_t`.
        ep_train: use EP as clip scores in training too.
        detach_attention: losses get the attention without gradient.

    Raises:
        WsedError: the heads do not provide clip scores, frame scores and attention; nothing would train the attention;
            an option is unknown; or `mu` is not in [0, 1].

    >>> len(MMNet.example(Labels(["dog", "cat"])).level_heads)
    4
    """

    def __init__(
        self,
        labels: Labels,
        encoder: EncoderFactory,
        head: Sequence[HeadFactory] = (Macro, Micro),
        frontend: Frontend | None = None,
        preset: str = "code",
        ep: bool = True,
        mu: float = 0.5,
        ep_space: str | None = None,
        ep_weights: str = "softmax",
        ep_train: bool | None = None,
        detach_attention: bool | None = None,
    ) -> None:
        super().__init__(labels, encoder, head, frontend)
        missing = {"clip_logits", "frame_logits", "attention"} - self.provides
        if missing:
            raise WsedError(f"network mmnet: no head provides {', '.join(sorted(missing))}; use `head: [macro, micro]`")
        if not 0 <= mu <= 1:
            raise WsedError(f"network mmnet: mu must be in [0, 1], not {mu:g}")
        check_options("network mmnet", OPTIONS, preset=preset)
        defaults = PRESETS[preset]
        self.ep, self.mu, self.ep_weights = ep, mu, ep_weights
        self.ep_space: str = defaults["ep_space"] if ep_space is None else ep_space
        check_options("network mmnet", OPTIONS, ep_space=self.ep_space, ep_weights=ep_weights)
        self.ep_train: bool = defaults["ep_train"] if ep_train is None else ep_train
        self.detach_attention: bool = defaults["detach_attention"] if detach_attention is None else detach_attention
        if self.detach_attention and not self.ep_train:
            raise WsedError(
                "network mmnet: with detach_attention, only EP trains the attention; set ep_train: true or "
                "detach_attention: false"
            )
        self.level_heads = nn.ModuleList(head[-1](dim, len(labels)) for dim, _ in self.encoder.levels)
        self.level_rates = [self.frontend.frame_rate / stride for _, stride in self.encoder.levels]

    @classmethod
    def example(cls, labels: Labels) -> Network:
        """A network on a small ResNet with a pyramid of levels."""
        encoder = partial(ResNet1d, channels=(8, 8, 8), pools=(2, 2), pyramid=True)
        return cls(labels, encoder, frontend=LogMel(8000, 256, 160, 16, 20.0))

    def forward(self, batch: Batch) -> Output:
        encoded, output = self.compose(batch)
        levels = tuple(
            replace(head(level), frame_rate=rate)
            for head, level, rate in zip(self.level_heads, encoded.levels, self.level_rates, strict=True)
        )
        if self.ep_train if self.training else self.ep:
            micro_outputs = (output, *levels) if self.detach_attention else (output,)
            clip_logits = self._ensemble(output, micro_outputs)
            output = replace(output, clip_logits=clip_logits)
        if self.detach_attention:
            output, *rest = (replace(each, attention=each.need("attention").detach()) for each in (output, *levels))
            levels = tuple(rest)
        return replace(output, levels=levels)

    def _ensemble(self, output: Output, micro_outputs: Sequence[Output]) -> Tensor:
        """Clip logits of EP, from the clip logits of the macro subnet and the frames of the micro subnets."""
        pooled = [
            pooled_frames(
                each.need("frame_logits"), each.need("attention"), each.need("valid"), self.ep_space, self.ep_weights
            )
            for each in micro_outputs
        ]
        return ensemble_prediction(output.need("clip_logits"), torch.stack(pooled).mean(0), self.mu, self.ep_space)


def pooled_frames(
    frame_logits: Float[Tensor, "clip frame label"],
    attention: Float[Tensor, "clip frame label"],
    valid: Bool[Tensor, "clip frame"],
    space: str = "prob",
    weights: str = "softmax",
) -> Float[Tensor, "clip label"]:
    """`sum_t alpha_t d_t`: frame scores pooled by attention, the second term of EP (Chou, Jang & Yang 2018, Eq. 9).

    Args:
        frame_logits: logits of `d_t`.
        attention: `a_t`, at least float32.
        valid: frames that count.
        space: `prob`: `d_t` and the result are probabilities; `logit`: they are logits.
        weights: `alpha_t` is the `softmax` of `a_t` over time, as printed, or its `share` `a_t / sum a_t`.

    Raises:
        WsedError: `space` or `weights` is unknown.

    >>> logits, valid = torch.tensor([[[1.0], [3.0]]]), torch.ones(1, 2, dtype=torch.bool)
    >>> pooled_frames(logits, torch.zeros(1, 2, 1), valid, space="logit")
    tensor([[2.]])
    """
    check_options("network mmnet", OPTIONS, ep_space=space, ep_weights=weights)
    logits = frame_logits.to(torch.promote_types(frame_logits.dtype, torch.float32))
    alpha = attention_over_time(attention, valid) if weights == "softmax" else attention
    return attention_pool(torch.sigmoid(logits) if space == "prob" else logits, valid, attention=alpha)


def ensemble_prediction(
    clip_logits: Float[Tensor, "clip label"], pooled: Float[Tensor, "clip label"], mu: float = 0.5, space: str = "prob"
) -> Float[Tensor, "clip label"]:
    """Logits of `mu y + (1 - mu) pooled` (Chou, Jang & Yang 2018, Eq. 9), at least float32.

    Args:
        clip_logits: logits of the macro subnet's `y`.
        pooled: result of `pooled_frames`, in the same `space`.
        mu: weight of the macro subnet.
        space: `prob`: probabilities are averaged; `logit`: logits are averaged.

    Raises:
        WsedError: `space` is unknown.

    >>> ensemble_prediction(torch.zeros(1, 1), torch.ones(1, 1), mu=0.5, space="logit")
    tensor([[0.5000]])
    """
    check_options("network mmnet", OPTIONS, ep_space=space)
    logits = clip_logits.to(torch.promote_types(clip_logits.dtype, torch.float32))
    if space == "logit":
        return mu * logits + (1 - mu) * pooled
    return torch.logit(mu * torch.sigmoid(logits) + (1 - mu) * pooled, eps=EPS)
