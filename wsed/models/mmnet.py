"""M&mnet: a macro and a micro subnet on one encoder, with an ensemble prediction of both."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.models.base import NETWORKS, EncoderFactory, Frontend, HeadFactory, Network
from wsed.models.encoders.resnet1d import ResNet1d
from wsed.models.frontends import LogMel
from wsed.models.heads.clip_attention import attention_over_time
from wsed.models.heads.macro import Macro
from wsed.models.heads.micro import Micro
from wsed.models.network import Composed
from wsed.ops.pooling import attention_pool
from wsed.ops.precision import at_least_float32
from wsed.types import Batch, Labels, Output


@NETWORKS.register("mmnet")
class MMNet(Composed):
    """A macro and a micro subnet on any encoder, with ensemble prediction (EP) of the two.

    Chou, Jang & Yang 2018, "Learning to recognize transient sound events using attentional supervision". Train it with
    the losses `clip_bce` (macro) and `micro`. If the encoder returns `levels`, as `resnet1d` does with `pyramid`, each
    level has a micro subnet of its own, whose outputs are the `levels` of the output (M&mnet-MS).

    EP trains the attention, as in the authors' code: the losses get the attention without gradient, and the macro loss
    reads the scores of EP, which averages logits of the macro subnet and of the micro subnets of all levels. EP as
    printed in the article is `experiments.mmnet.readings.PrintedMMNet`.

    Args:
        labels: the classes.
        encoder: built as `encoder(n_bands)`.
        head: the heads of the two subnets; the last head is the micro subnet.
        frontend: the `LogMel` with its defaults if None.
        ep: use EP as clip scores outside training too; otherwise the scores of the macro subnet.
        mu: weight of the macro subnet in EP.

    Raises:
        WsedError: `head` is no list, the heads together lack clip scores, frame scores or attention, or the last head
            lacks frame scores or attention, or `mu` is not in [0, 1].

    >>> len(MMNet.example(Labels(["dog", "cat"])).level_heads)
    4
    """

    def __init__(
        self,
        labels: Labels,
        encoder: EncoderFactory,
        head: Sequence[HeadFactory] = (Macro, Micro),
        frontend: Frontend | None = None,
        ep: bool = True,
        mu: float = 0.5,
    ) -> None:
        if isinstance(head, str) or not isinstance(head, Sequence):
            raise WsedError("network mmnet: head must be a list whose last head is the micro subnet: [macro, micro]")
        super().__init__(labels, encoder, head, frontend)
        missing = {"clip_logits", "frame_logits", "attention"} - self.provides
        if missing:
            raise WsedError(f"network mmnet: no head provides {', '.join(sorted(missing))}; use `head: [macro, micro]`")
        of_micro: frozenset[str] = self.heads[-1].provides  # type: ignore[assignment]
        if lacking := {"frame_logits", "attention"} - of_micro:
            raise WsedError(
                f"network mmnet: the last head, which is the micro subnet, provides no {', '.join(sorted(lacking))}; "
                "use `head: [macro, micro]`"
            )
        if not 0 <= mu <= 1:
            raise WsedError(f"network mmnet: mu must be in [0, 1], not {mu:g}")
        self.ep, self.mu = ep, mu
        self.level_heads = nn.ModuleList(head[-1](dim, len(labels)) for dim, _ in self.encoder.levels)
        self.level_rates = [self.frontend.frame_rate / stride for _, stride in self.encoder.levels]

    @classmethod
    def example(cls, labels: Labels) -> Network:
        """A network on a small ResNet with a pyramid of levels."""
        encoder = partial(ResNet1d, channels=(8, 8, 8), pools=(2, 2), pyramid=True)
        return cls(labels, encoder, frontend=LogMel(8000, 256, 160, 16, 20.0))

    def forward(self, batch: Batch) -> Output:
        output = self.subnets(batch)
        maps = (output, *output.levels)
        if self.training or self.ep:
            pooled = torch.stack([pooled_frames(each) for each in maps]).mean(0)
            clip_logits = self.mu * at_least_float32(output.need("clip_logits")) + (1 - self.mu) * pooled
            output = replace(output, clip_logits=clip_logits)
        levels = tuple(map(without_gradient_of_attention, output.levels))
        return replace(without_gradient_of_attention(output), levels=levels)

    def subnets(self, batch: Batch) -> Output:
        """The outputs of the macro and the micro subnet, and in `levels` those of the micro subnets of other levels.

        >>> from wsed.testing import batch
        >>> len(MMNet.example(Labels(["dog", "cat"])).subnets(batch(n_labels=2)).levels)
        4
        """
        encoded, output = self.compose(batch)
        levels = tuple(
            replace(head(level), frame_rate=rate)
            for head, level, rate in zip(self.level_heads, encoded.levels, self.level_rates, strict=True)
        )
        return replace(output, levels=levels)


def pooled_frames(output: Output) -> Float[Tensor, "clip label"]:
    """The logits of the frames, averaged by the softmax over time of the attention (Chou, Jang & Yang 2018, Eq. 9).

    >>> logits, valid = torch.tensor([[[1.0], [3.0]]]), torch.ones(1, 2, dtype=torch.bool)
    >>> pooled_frames(Output(frame_logits=logits, attention=torch.zeros(1, 2, 1), valid=valid))
    tensor([[2.]])
    """
    valid = output.need("valid")
    alpha = attention_over_time(output.need("attention"), valid)
    return attention_pool(at_least_float32(output.need("frame_logits")), valid, attention=alpha)


def without_gradient_of_attention(output: Output) -> Output:
    """The same output with an attention that gets no gradient."""
    return replace(output, attention=output.need("attention").detach())
