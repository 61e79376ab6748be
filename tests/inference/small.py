"""A small detector for tests: 8 kHz, 50 frames per second, windows of 1 s, with scores that depend on loudness."""

import torch
from torch import Tensor

from wsed.decoding import StepDecoder
from wsed.inference import Detector
from wsed.models.base import Network
from wsed.ops.grid import valid_frames
from wsed.types import Batch, Labels, Output

RATE, HOP = 8000, 160


class Loudness(Network):
    """Class `loud` where the sound is loud, `soft` where it is not silent; looks at one frame only."""

    def __init__(self, labels: Labels = Labels(["loud", "soft"]), sample_rate: int = RATE) -> None:  # noqa: B008
        super().__init__()
        self.labels, self.sample_rate, self.frame_rate = labels, sample_rate, sample_rate / HOP
        self.provides = frozenset({"frame_logits", "clip_logits", "clip_embedding"})
        self.sizes: list[int] = []

    def forward(self, batch: Batch) -> Output:
        audio = batch.samples()
        self.sizes.append(len(audio))
        frames = torch.nn.functional.pad(audio, (0, HOP - audio.shape[1] % HOP)).unfold(1, HOP, HOP)
        power = frames.square().mean(-1)
        logits = torch.stack([(power - 0.04) * 200, (power - 0.0025) * 2000], dim=-1).clamp(-8, 8)
        valid = valid_frames(batch.n_samples, HOP, frames.shape[1])
        clip: Tensor = logits.amax(1)
        return Output(logits, clip, clip_embedding=power.amax(1)[:, None], valid=valid, frame_rate=self.frame_rate)


def detector(**decoder: object) -> Detector:
    return Detector(Loudness(), StepDecoder(**decoder), window=1.0)


def tones(seconds: float, *events: tuple[float, float, float]) -> Tensor:
    """Silence with tones of `(onset, offset, amplitude)`."""
    time = torch.arange(round(seconds * RATE)) / RATE
    sound = torch.zeros_like(time)
    for onset, offset, amplitude in events:
        sound += amplitude * torch.sin(2 * torch.pi * 1000 * time) * ((time >= onset) & (time < offset))
    return sound
