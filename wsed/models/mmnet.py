"""M&mnet: a macro and a micro subnet on one encoder, joined in prediction, and a micro subnet on each further map."""

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
"""What the released code does, and what Chou, Jang & Yang 2018 describe."""

OPTIONS = {"preset": tuple(PRESETS), "ep_space": ("prob", "logit"), "ep_weights": ("softmax", "share")}


@NETWORKS.register("mmnet")
class MMNet(Composed):
    """Macro and micro subnet on any encoder, and ensemble prediction (EP) of the two.

    Chou, Jang & Yang 2018, "Learning to recognize transient sound events using attentional supervision". Train it with
    the losses `clip_bce` (macro) and `micro`. Where the encoder gives `levels`, as `resnet1d` does with `pyramid`, each
    of these maps has a micro subnet of its own, in the output's `levels` (M&mnet-MS).

    Paper and released code differ in how the attention learns. In the paper it learns by the micro loss, and EP is for
    tests. In the code the micro loss treats the attention as a constant, and the attention learns by EP, whose scores
    the macro loss then reads; so that every attention learns, EP is then of all maps, else of the encoder's last.

    Args:
        labels: the classes.
        encoder: built as `encoder(n_bands)`.
        head: the two subnets; of more, the last is the micro subnet.
        frontend: the library's usual log-mel if None.
        preset: what `ep_space`, `ep_train` and `detach_attention` are unless given: as in the `code` (logit, true,
            true) or the `paper` (prob, false, false).
        ep: clip scores are EP, outside training; else the macro subnet's.
        mu: weight of the macro subnet in EP.
        ep_space: what is averaged in EP, over time and over the two: probabilities (`prob`) or logits (`logit`).
        ep_weights: of the frames in EP: the `softmax` over time of `a_t`, as printed, or its `share` `a_t / sum a_t`.
        ep_train: clip scores are EP in training too.
        detach_attention: losses get the attention without its gradient.

    Raises:
        WsedError: the heads give no clip scores, frame scores and attention; attention would not be trained; an option
            is unknown, or `mu` is not between 0 and 1.
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
        usual = PRESETS[preset]
        self.ep, self.mu, self.ep_weights = ep, mu, ep_weights
        self.ep_space: str = usual["ep_space"] if ep_space is None else ep_space
        check_options("network mmnet", OPTIONS, ep_space=self.ep_space, ep_weights=ep_weights)
        self.ep_train: bool = usual["ep_train"] if ep_train is None else ep_train
        self.detach_attention: bool = usual["detach_attention"] if detach_attention is None else detach_attention
        if self.detach_attention and not self.ep_train:
            raise WsedError(
                "network mmnet: with detach_attention nothing but EP trains the attention; set ep_train, or "
                "detach_attention: false"
            )
        self.level_heads = nn.ModuleList(head[-1](dim, len(labels)) for dim, _ in self.encoder.levels)
        self.level_rates = [self.frontend.frame_rate / stride for _, stride in self.encoder.levels]

    @classmethod
    def example(cls, labels: Labels) -> Network:
        """A small ResNet with a pyramid of maps."""
        encoder = partial(ResNet1d, channels=(8, 8, 8), pools=(2, 2), pyramid=True)
        return cls(labels, encoder, frontend=LogMel(8000, 256, 160, 16, 20.0))

    def forward(self, batch: Batch) -> Output:
        encoded, output = self.compose(batch)
        levels = tuple(
            replace(head(level), frame_rate=rate)
            for head, level, rate in zip(self.level_heads, encoded.levels, self.level_rates, strict=True)
        )
        if self.ep_train if self.training else self.ep:
            maps = (output, *levels) if self.detach_attention else (output,)
            clip_logits = self._ensemble(output, maps)
            output = replace(output, clip_logits=clip_logits)
        if self.detach_attention:
            output, *rest = (replace(each, attention=each.need("attention").detach()) for each in (output, *levels))
            levels = tuple(rest)
        return replace(output, levels=levels)

    def _ensemble(self, output: Output, maps: Sequence[Output]) -> Tensor:
        """Clip logits of the macro subnet and what the frames of the maps say, as one."""
        votes = [
            frame_vote(
                each.need("frame_logits"), each.need("attention"), each.need("valid"), self.ep_space, self.ep_weights
            )
            for each in maps
        ]
        return ensemble_prediction(output.need("clip_logits"), torch.stack(votes).mean(0), self.mu, self.ep_space)


def frame_vote(
    frame_logits: Float[Tensor, "clip frame label"],
    attention: Float[Tensor, "clip frame label"],
    valid: Bool[Tensor, "clip frame"],
    space: str = "prob",
    weights: str = "softmax",
) -> Float[Tensor, "clip label"]:
    """What the frames say of the clip, `sum_t alpha_t d_t`, the second term of EP (Chou, Jang & Yang 2018, Eq. 9).

    Args:
        frame_logits: of `d_t`.
        attention: `a_t`, float32 or wider.
        valid: frames that count.
        space: `d_t` is a probability (`prob`), or taken as a logit, and so is the result.
        weights: `alpha` is the `softmax` over time of `a_t`, as printed, or its `share` `a_t / sum a_t`.

    Raises:
        WsedError: `space` or `weights` is unknown.
    """
    check_options("network mmnet", OPTIONS, ep_space=space, ep_weights=weights)
    logits = frame_logits.to(torch.promote_types(frame_logits.dtype, torch.float32))
    alpha = attention_over_time(attention, valid) if weights == "softmax" else attention
    return attention_pool(torch.sigmoid(logits) if space == "prob" else logits, valid, attention=alpha)


def ensemble_prediction(
    clip_logits: Float[Tensor, "clip label"], vote: Float[Tensor, "clip label"], mu: float = 0.5, space: str = "prob"
) -> Float[Tensor, "clip label"]:
    """Logits of `mu y + (1 - mu) vote` (Chou, Jang & Yang 2018, Eq. 9), float32 or wider.

    Args:
        clip_logits: of the macro subnet's `y`.
        vote: of the frames, in `space`.
        mu: weight of the macro subnet.
        space: `prob`: probabilities are averaged; `logit`: logits are.

    Raises:
        WsedError: `space` is unknown.
    """
    check_options("network mmnet", OPTIONS, ep_space=space)
    logits = clip_logits.to(torch.promote_types(clip_logits.dtype, torch.float32))
    if space == "logit":
        return mu * logits + (1 - mu) * vote
    return torch.logit(mu * torch.sigmoid(logits) + (1 - mu) * vote, eps=EPS)
