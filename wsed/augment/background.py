"""Added noise and background sounds."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from wsed.augment.base import AUGMENTS, Augment, Planned, Sounds
from wsed.augment.draws import arrays, check_chance, check_range
from wsed.augment.frames import inside, lengths, parts
from wsed.errors import WsedError
from wsed.types import Batch


@AUGMENTS.register("noise")
class Noise(Planned):
    """Adds white noise at a random signal-to-noise ratio; labels do not change.

    The noise of each clip begins at a random place of one piece, which is twice as long as the clips: drawing other
    noise for each of them would take longer than adding it.

    Args:
        snr_low: lowest signal-to-noise ratio, dB.
        snr_high: highest signal-to-noise ratio, dB.
        p: probability that a clip gets noise.

    Raises:
        WsedError: a setting is out of its range.

    Source: none; the defaults are our choice, from noise that is clearly heard to noise that is hardly heard.

    >>> from wsed.testing import batch
    >>> inputs = batch()
    >>> noisy = Noise(20.0, 20.0, p=1.0)(inputs, torch.Generator().manual_seed(0)).audio
    >>> round(float(10 * (inputs.audio.square().sum() / (noisy - inputs.audio).square().sum()).log10()))
    20
    """

    joint = True

    def __init__(self, snr_low: float = 10.0, snr_high: float = 40.0, p: float = 0.5) -> None:
        super().__init__()
        check_chance("noise", p)
        check_range("noise", "snr_low and snr_high", snr_low, snr_high)
        self.snr_low, self.snr_high, self.p = snr_low, snr_high, p

    def plan(self, batch: Batch, generator: torch.Generator) -> tuple[Batch, tuple[Tensor, ...]]:
        length = batch.samples().shape[1]
        piece = torch.randn(2 * length, generator=generator, device=generator.device)  # too many numbers for the CPU
        start = starts(len(batch), length, generator)
        return batch, (
            piece,
            start,
            ratios(len(batch), self.snr_low, self.snr_high, self.p, generator),
            *lengths(batch),
        )

    def change(self, signal: Tensor, *numbers: Tensor) -> Tensor:
        piece, start, ratio, *n_samples = numbers
        return add(signal, parts(piece, start, signal.shape[1]), ratio, *n_samples)


@AUGMENTS.register("background")
class Background(Planned):
    """Adds a part of a recording from a folder at a random signal-to-background ratio; labels do not change.

    The recordings must not contain any of the classes. They are read once before training and kept in memory.

    Args:
        folder: folder with sound files, at any depth.
        snr_low: lowest signal-to-background ratio, dB.
        snr_high: highest signal-to-background ratio, dB.
        p: probability that a clip gets a background.

    Raises:
        WsedError: a setting is out of its range, or (before training) the folder has no sound files.

    Source: none; the defaults are our choice.

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
        self._repeated = torch.empty(0)

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

    def plan(self, batch: Batch, generator: torch.Generator) -> tuple[Batch, tuple[Tensor, ...]]:
        if not len(self.sound):
            raise WsedError("augment background: call prepare with the recordings first")
        start = starts(len(batch), len(self.sound), generator)
        return batch, (start, ratios(len(batch), self.snr_low, self.snr_high, self.p, generator), *lengths(batch))

    def change(self, signal: Tensor, *numbers: Tensor) -> Tensor:
        start, ratio, *n_samples = numbers
        length = signal.shape[1]
        return add(signal, parts(self._endless(length, signal.device), start, length), ratio, *n_samples)

    def _endless(self, length: int, device: torch.device) -> Float[Tensor, " sample"]:
        """The recordings, and their beginning again for `length` samples or more after their end."""
        n = len(self.sound)
        if self._repeated.device != device or len(self._repeated) < n + length:
            self._repeated = self.sound.to(device).repeat(2 + length // n)[: n + length].clone()
            self.sound = self._repeated[:n]  # kept once
        return self._repeated


def starts(n_clips: int, length: int, generator: torch.Generator) -> Int[Tensor, " clip"]:
    """Random indices of samples, below `length`, on the CPU.

    >>> starts(2, 1, torch.Generator()).tolist()
    [0, 0]
    """
    (drawn,) = arrays(n_clips, [1], generator)
    return torch.from_numpy((drawn[:, 0].astype(np.float64) * length).astype(np.int64))


def ratios(n_clips: int, low: float, high: float, p: float, generator: torch.Generator) -> Float[Tensor, " clip"]:
    """Random amplitudes of added sound relative to the clip's, `[clip]`, on the CPU; 0 for clips that are not chosen.

    Args:
        n_clips: clips of this process.
        low: lowest ratio of signal to added sound, dB.
        high: highest ratio, dB.
        p: probability that a clip is chosen.
        generator: source of the random numbers.

    >>> ratios(2, 20.0, 20.0, 1.0, torch.Generator()).tolist()
    [0.10000000149011612, 0.10000000149011612]
    """
    drawn, chance = arrays(n_clips, [1, 1], generator)
    snr = low + (high - low) * drawn
    return torch.from_numpy(np.where(chance < p, 10 ** (-snr / 20), np.float32(0))[:, 0])


def add(
    audio: Float[Tensor, "clip sample"],
    sound: Float[Tensor, "clip sample"],
    ratio: Float[Tensor, " clip"],
    n_samples: Int[Tensor, " clip"] | None = None,
) -> Float[Tensor, "clip sample"]:
    """Audio with other sound at a ratio of the amplitudes (root mean square); padding stays silent.

    Args:
        audio: of the clips.
        sound: what is added.
        ratio: of the added sound to the clip; 0 changes nothing.
        n_samples: length of each clip; None: all are as long as the audio.

    >>> added = add(torch.ones(2, 4), torch.full((2, 4), 8.0), torch.tensor([0.5, 0.0]))
    >>> added.tolist()
    [[1.5, 1.5, 1.5, 1.5], [1.0, 1.0, 1.0, 1.0]]
    """
    sound = sound.to(audio.dtype)
    if n_samples is not None:
        sound = torch.where(inside(audio, n_samples), sound, 0.0)
    size, least = torch.linalg.vector_norm(sound, dim=1), 1e-6 * audio.shape[1] ** 0.5
    gain = torch.linalg.vector_norm(audio, dim=1) / size.clamp_(min=least) * ratio
    return torch.addcmul(audio, gain[:, None].to(audio.dtype), sound)
