"""Added noise and background sounds."""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.augment.base import AUGMENTS, Augment, Sounds
from wsed.augment.draws import check_chance, check_range, chosen, per_clip, uniform
from wsed.augment.frames import inside_clips
from wsed.errors import WsedError
from wsed.types import Batch


@AUGMENTS.register("noise")
class Noise(Augment):
    """Adds white noise at a random signal-to-noise ratio; labels do not change.

    Args:
        snr_low: lowest signal-to-noise ratio, dB.
        snr_high: highest signal-to-noise ratio, dB.
        p: probability that a clip gets noise.

    Raises:
        WsedError: a setting is out of its range.

    >>> from wsed.testing import batch
    >>> inputs = batch()
    >>> noisy = Noise(20.0, 20.0, p=1.0)(inputs, torch.Generator().manual_seed(0)).audio
    >>> round(float(10 * (inputs.audio.square().sum() / (noisy - inputs.audio).square().sum()).log10()))
    20
    """

    def __init__(self, snr_low: float = 10.0, snr_high: float = 40.0, p: float = 0.5) -> None:
        super().__init__()
        check_chance("noise", p)
        check_range("noise", "snr_low and snr_high", snr_low, snr_high)
        self.snr_low, self.snr_high, self.p = snr_low, snr_high, p

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        audio = batch.samples()
        noise = per_clip(
            len(batch),
            generator,
            lambda n: torch.randn(n, audio.shape[1], generator=generator, device=generator.device),
        )
        snr = uniform(len(batch), self.snr_low, self.snr_high, generator)
        return replace(batch, audio=add(batch, noise, snr, chosen(len(batch), self.p, generator)))


@AUGMENTS.register("background")
class Background(Augment):
    """Adds a part of a recording from a folder at a random signal-to-background ratio; labels do not change.

    The recordings must not contain any of the classes. They are read once before training and kept in memory.

    Args:
        folder: folder with sound files, at any depth.
        snr_low: lowest signal-to-background ratio, dB.
        snr_high: highest signal-to-background ratio, dB.
        p: probability that a clip gets a background.

    Raises:
        WsedError: a setting is out of its range, or (before training) the folder has no sound files.

    >>> background = Background("street", p=1.0)
    >>> background.prepare(8000, lambda folder, rate: [torch.ones(100).numpy()])
    >>> from wsed.testing import batch
    >>> background(batch(), torch.Generator().manual_seed(0)).audio.shape
    torch.Size([4, 8000])
    """

    def __init__(self, folder: str, snr_low: float = 5.0, snr_high: float = 30.0, p: float = 0.5) -> None:
        super().__init__()
        check_chance("background", p)
        check_range("background", "snr_low and snr_high", snr_low, snr_high)
        self.folder, self.snr_low, self.snr_high, self.p = folder, snr_low, snr_high, p
        self.register_buffer("sound", torch.empty(0), persistent=False)

    sound: Float[Tensor, " sample"]

    @classmethod
    def example(cls) -> Augment:
        """With soft noise in place of the recordings."""
        one = cls("example", 20.0, 40.0, p=1.0)
        one.sound = torch.randn(4000, generator=torch.Generator().manual_seed(1))
        return one

    def prepare(self, sample_rate: int, sounds: Sounds) -> None:
        """Read the recordings."""
        if not len(self.sound):
            self.sound = torch.cat([torch.from_numpy(sound) for sound in sounds(self.folder, sample_rate)])

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        audio = batch.samples()
        if not len(self.sound):
            raise WsedError("augment background: call prepare with the recordings first")
        if self.sound.device != audio.device:
            self.sound = self.sound.to(audio.device)
        start = (uniform(len(batch), 0, 1, generator).double() * len(self.sound)).long()
        place = (start[:, None] + torch.arange(audio.shape[1], device=audio.device)) % len(self.sound)
        snr = uniform(len(batch), self.snr_low, self.snr_high, generator)
        return replace(batch, audio=add(batch, self.sound[place], snr, chosen(len(batch), self.p, generator)))


def add(
    batch: Batch, noise: Float[Tensor, "clip sample"], snr: Float[Tensor, " clip"], to: Bool[Tensor, " clip"]
) -> Float[Tensor, "clip sample"]:
    """The audio with noise at a ratio of signal to noise (dB), in some clips; padding stays silent.

    >>> from wsed.testing import batch
    >>> inputs = batch(n_clips=2)
    >>> mixed = add(inputs, torch.ones_like(inputs.audio), torch.tensor([0.0, 0.0]), torch.tensor([True, False]))
    >>> bool((mixed[1] == inputs.audio[1]).all()), bool((mixed[0] != inputs.audio[0]).all())
    (True, True)
    """
    audio = batch.samples()
    noise = torch.where(inside_clips(batch), noise.to(audio.dtype), 0.0)
    power, noise_power = audio.square().mean(1), noise.square().mean(1)
    gain = (power / noise_power.clamp(min=1e-12)).sqrt() * 10 ** (-snr / 20)
    return audio + torch.where(to, gain, 0.0)[:, None].to(audio.dtype) * noise
