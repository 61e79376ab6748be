"""`Ensemble`: several networks as one; their scores are averaged."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.models.base import Network
from wsed.types import Batch, Output

EPS = 1e-7
"""Least distance of a score from 0 and 1, so that its logit is finite."""


class Ensemble(Network):
    """Averages the frame and clip scores of networks with the same classes.

    Args:
        networks: networks with the same sample rate. The frame rate is that of the first network; the nearest frames of
            the others are used.
        names: names of the networks, for messages.

    Raises:
        WsedError: the networks differ in classes or sample rate.
    """

    def __init__(self, networks: Sequence[Network], names: Sequence[str]) -> None:
        super().__init__()
        first = networks[0]
        for name, network in zip(names, networks, strict=True):
            if network.labels != first.labels:
                odd = sorted({*network.labels} ^ {*first.labels})
                what = f"{odd[0]!r} is a class of one only" if odd else "the classes are in another order"
                raise WsedError(f"{name} cannot be averaged with {names[0]}: {what}; use models of one label set")
            if network.sample_rate != first.sample_rate:
                raise WsedError(
                    f"{name} cannot be averaged with {names[0]}: it takes {network.sample_rate} Hz, not "
                    f"{first.sample_rate} Hz; use models of one sample rate"
                )
        self.networks = nn.ModuleList(networks)
        self.labels, self.sample_rate, self.frame_rate = first.labels, first.sample_rate, first.frame_rate
        common = frozenset[str].intersection(*(network.provides for network in networks))
        self.provides = common & {"frame_logits", "clip_logits"}

    def forward(self, batch: Batch) -> Output:
        outputs: list[Output] = [network(batch) for network in self.networks]
        first, frames, clips = outputs[0], None, None
        if all(output.frame_logits is not None for output in outputs):
            n = first.need("frame_logits").shape[1]
            frames = _mean([_on_grid(output.frame_scores, output.rate, n, self.frame_rate) for output in outputs])
        if all(output.clip_logits is not None for output in outputs):
            clips = _mean([output.clip_scores for output in outputs])
        return Output(frame_logits=frames, clip_logits=clips, valid=first.valid, frame_rate=self.frame_rate)


def _mean(scores: Sequence[Tensor]) -> Tensor:
    return torch.logit(torch.stack(list(scores)).mean(0), eps=EPS)


def _on_grid(scores: Tensor, rate: float, n_frames: int, wanted: float) -> Tensor:
    """The scores at the centres of `n_frames` frames with another frame rate."""
    if scores.shape[1] == n_frames and rate == wanted:
        return scores
    middle = (torch.arange(n_frames, device=scores.device) + 0.5) / wanted
    return scores[:, (middle * rate).long().clamp(max=scores.shape[1] - 1)]
