"""The sound of other rooms and devices, by impulse responses."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from wsed.augment.base import AUGMENTS, Augment, Sounds
from wsed.augment.draws import check_chance, chosen, per_clip
from wsed.augment.frames import inside_clips
from wsed.errors import WsedError
from wsed.types import Batch


@AUGMENTS.register("impulse_response")
class ImpulseResponse(Augment):
    """Makes a clip sound as in another room or over another device; labels do not change.

    Clips are convolved with impulse responses from a folder. A response is cut to begin at its greatest peak, so that
    events do not move, and is scaled to energy 1. The responses are read once,
    before training.

    Args:
        folder: folder with one sound file per response, at any depth.
        p: probability that a clip is convolved; 0.5 in Schmid et al. 2024.
        seconds: longest response, s; longer ones are cut off.

    Raises:
        WsedError: a setting is out of its range, or (before training) the folder has no sound files.

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

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        audio = batch.samples()
        if not len(self.responses):
            raise WsedError("augment impulse_response: call prepare with the responses first")
        if self.responses.device != audio.device:
            self.responses = self.responses.to(audio.device)
        which = per_clip(
            len(batch),
            generator,
            lambda n: torch.randint(len(self.responses), (n,), generator=generator, device=generator.device),
        )
        to = chosen(len(batch), self.p, generator)
        convolved = torch.where(inside_clips(batch), convolve(audio, self.responses[which]), 0.0)
        return replace(batch, audio=torch.where(to[:, None], convolved, audio))


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

    >>> convolve(torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[0.5, 0.25]])).round(decimals=5).tolist()
    [[0.5, 0.25, 0.0]]
    """
    length = 2 ** (audio.shape[1] + response.shape[1] - 1).bit_length()
    spectrum = torch.fft.rfft(audio.float(), length) * torch.fft.rfft(response, length)
    convolved: Tensor = torch.fft.irfft(spectrum, length)[:, : audio.shape[1]]
    return convolved.to(audio.dtype)
