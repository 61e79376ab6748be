"""What only the published code of Pellegrini & Cances 2019 does, by import path in YAML:

evaluation: {decoder: {class_path: experiments.cosine_penalty.readings.MiscountingDecoder, init_args: {...}}}
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from wsed.decoding import Decoder, StepDecoder
from wsed.decoding.steps import PerLabel, Runs, hysteresis, threshold
from wsed.types import Events

Curves = Float[Tensor, "clip frame label"]


class MiscountingDecoder(StepDecoder):
    """`wsed.decoding.StepDecoder` that miscounts frames as the published decoder does, to compare with its figures.

    The settings are those of `StepDecoder`.
    """

    at = Decoder.at
    """The events at each threshold, decoded one by one."""

    def to_events(self, runs: Runs, curves: Curves, frame_rate: float) -> Events:
        frames = borders(curves, self.threshold if self.low is None else self.low, self.threshold)
        first, stop = (frames[runs.clip, frame, runs.label] for frame in (runs.first, runs.stop))
        return runs._replace(first=first, stop=stop).to_events(frame_rate)

    def across(self) -> Decoder:
        """Of long recordings frames are counted exactly: the miscount grows with each event."""
        return StepDecoder(**self.values()).across()

    def inexact_for_segments(self) -> list[str]:
        return ["class_path", *super().inexact_for_segments()]


def borders(scores: Curves, low: PerLabel, high: PerLabel) -> Int[Tensor, "clip border label"]:
    """Where the published decoder puts the borders between frames, in frames.

    Border `i` of a clip lies before frame `i`; one that counts rightly puts it at `i`. That decoder adds up the lengths
    of the runs of frames that are on and off, and miscounts: frame 0 counts twice; the frame that switches an event off
    does not count, nor does one above `low` but not above `high`. With `low = high`, event `k` (0, 1, ...) of a clip is
    shifted by `1 - k` frames; an event that begins with the clip only ends one frame later. The paper does not say how
    it counts.
    """
    if not scores.shape[1]:
        return torch.zeros(scores.shape[0], 1, scores.shape[2], dtype=torch.long, device=scores.device)
    on = hysteresis(scores, low, high)
    counted = threshold(scores, high) | ~threshold(scores, low)
    counted[:, 1:] &= on[:, 1:] | ~on[:, :-1]
    frames = counted.long()
    frames[:, 0] += 1  # also where frame 0 lies between low and high, and so has no count of its own
    return torch.nn.functional.pad(frames.cumsum(1), (0, 0, 1, 0))
