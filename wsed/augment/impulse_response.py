"""The sound of other rooms and devices, by impulse responses."""

import math
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from wsed.augment.base import AUGMENTS, Augment, Planned, Sounds
from wsed.augment.draws import arrays, check_chance, on_host, per_clip
from wsed.augment.frames import inside, lengths
from wsed.errors import WsedError
from wsed.types import Batch


@AUGMENTS.register("impulse_response")
class ImpulseResponse(Planned):
    """Makes a clip sound as in another room or over another device; labels do not change.

    Clips are convolved with impulse responses from a folder. A response is cut to begin at its greatest peak, so that
    events do not move, and is scaled to energy 1. The responses are read once, before training.

    Args:
        folder: folder with one sound file per response, at any depth.
        p: probability that a clip is convolved; 0.5 in Schmid et al. 2024.
        seconds: longest response, s; longer ones are cut off. 1 s is our choice.

    Raises:
        WsedError: a setting is out of its range, or (before training) the folder has no sound files.

    Source: Schmid et al. 2024 (DCASE 2024 task 4), who take the responses of devices.

    >>> room = ImpulseResponse("rooms", p=1.0)
    >>> room.prepare(8000, lambda folder, rate: [torch.tensor([0.0, 2.0, 0.0]).numpy()])
    >>> from wsed.testing import batch
    >>> inputs = batch()
    >>> torch.allclose(room(inputs, torch.Generator()).audio, inputs.audio, atol=1e-6)
    True
    """

    responses: Float[Tensor, "response sample"]

    def __init__(self, folder: str, p: float = 0.5, seconds: float = 1.0) -> None:
        super().__init__()
        check_chance("impulse_response", p)
        if seconds <= 0:
            raise WsedError(f"augment impulse_response: seconds must be above 0, not {seconds:g}")
        self.folder, self.p, self.seconds = folder, p, seconds
        self.register_buffer("responses", torch.empty(0, 0), persistent=False)

    @classmethod
    def example(cls) -> Augment:
        """With two short responses."""
        one = cls("example")
        one.responses = torch.tensor([[0.9, 0.3, 0.1], [0.8, -0.4, 0.2]])
        return one

    def prepare(self, sample_rate: int, sounds: Sounds) -> None:
        """Read the responses."""
        if not len(self.responses):
            self.responses = stacked(sounds(self.folder, sample_rate), round(self.seconds * sample_rate))

    def plan(self, batch: Batch, generator: torch.Generator) -> tuple[Batch, tuple[Tensor, ...]]:
        if not len(self.responses):
            raise WsedError("augment impulse_response: call prepare with the responses first")
        draws = on_host(generator)
        which = per_clip(len(batch), draws, lambda n: torch.randint(len(self.responses), (n,), generator=draws))
        rows = torch.from_numpy((arrays(len(batch), [1], draws)[0][:, 0] < self.p).nonzero()[0])
        return batch, (rows, which[rows], *(n_samples[rows] for n_samples in lengths(batch)))

    def change(self, signal: Tensor, *numbers: Tensor) -> Tensor:
        rows, which, *n_samples = numbers
        if not len(rows):
            return signal
        if self.responses.device != signal.device:
            self.responses = self.responses.to(signal.device)
        convolved = convolve(signal.index_select(0, rows), self.responses.index_select(0, which))
        if n_samples:
            convolved = torch.where(inside(convolved, n_samples[0]), convolved, 0.0)
        return signal.index_copy(0, rows, convolved)


def stacked(sounds: list[NDArray[np.float32]], longest: int) -> Float[Tensor, "response sample"]:
    """Responses from their greatest peak on, each of energy 1, with zeros after the end of shorter ones.

    >>> stacked([np.array([0, 2, 0], np.float32), np.array([3, 4], np.float32)], 10).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    parts = [sound[np.abs(sound).argmax() :][:longest] for sound in sounds]
    rows = torch.zeros(len(parts), max(map(len, parts)))
    for row, part in zip(rows, parts, strict=True):
        row[: len(part)] = torch.from_numpy(part)
    return rows / rows.square().sum(1, keepdim=True).sqrt().clamp(min=1e-12)


def convolve(audio: Float[Tensor, "clip sample"], response: Float[Tensor, "clip tap"]) -> Float[Tensor, "clip sample"]:
    """Each clip convolved with its response, as long as before.

    >>> convolve(torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[0.5, 0.25]])).round(decimals=5).abs().tolist()
    [[0.5, 0.25, 0.0]]
    """
    taps = response.shape[1]
    size, n_blocks = _blocks(audio.shape[1], taps)
    hop = size - taps + 1
    wide = torch.nn.functional.pad(audio.float(), (taps - 1, n_blocks * hop - audio.shape[1]))
    spectrum = torch.fft.rfft(wide.unfold(1, size, hop)) * torch.fft.rfft(response, size)[:, None]
    convolved: Tensor = torch.fft.irfft(spectrum, size)[:, :, taps - 1 :]  # what a block has of the one before is wrong
    return convolved.flatten(1)[:, : audio.shape[1]].to(audio.dtype)


@cache
def _blocks(length: int, taps: int) -> tuple[int, int]:
    """Size and number of the blocks with the cheapest Fourier transforms; a block gives `size - taps + 1` samples.

    Each block is transformed and transformed back, and the response is transformed once. Sizes are powers of two, or 3,
    5, 9 or 15 times one. Blocks of up to 8192 samples fit a processor's cache.
    """
    sizes = [odd * 2**power for odd in (1, 3, 5, 9, 15) for power in range(9, 28)]
    counted = [(size, math.ceil(length / (size - taps + 1))) for size in sizes if size >= max(8192, 2 * taps)]
    return min(counted, key=lambda of: (2 * of[1] + 1) * of[0] * math.log2(of[0]))
