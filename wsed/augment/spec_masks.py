"""Masks over time and over bands."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wsed.augment.base import AUGMENTS, Planned
from wsed.augment.draws import arrays, check_chance, check_range
from wsed.augment.frames import mean_over, padding
from wsed.errors import WsedError
from wsed.types import Batch


@AUGMENTS.register("spec_augment")
class SpecAugment(Planned):
    """Replaces stretches of time and groups of neighbouring bands by the mean of the clip's features.

    Labels do not change, so keep time masks shorter than the shortest events.

    Args:
        time: longest stretch, as a share of the clip; up to 0.2 in pb_sed (Ebbers and Haeb-Umbach 2022). Our choice is
            half of it, since the labels of short events do not change.
        bands: widest group, as a share of the bands; up to 0.2 in pb_sed.
        time_masks: stretches of time per clip; one is our choice.
        band_masks: groups of bands per clip; one is our choice.
        p: probability that a clip is masked; 0.5 is our choice.

    Raises:
        WsedError: a setting is out of its range.

    Source: Park et al. 2019, "SpecAugment".

    >>> from wsed.testing import batch
    >>> from dataclasses import replace
    >>> inputs = replace(batch(), features=torch.rand(4, 16, 50))
    >>> masked = SpecAugment(p=1.0)(inputs, torch.Generator().manual_seed(0))
    >>> 0.05 < (masked.features != inputs.features).float().mean() < 0.5
    tensor(True)
    """

    level = "features"
    joint = True

    def __init__(
        self, time: float = 0.1, bands: float = 0.2, time_masks: int = 1, band_masks: int = 1, p: float = 0.5
    ) -> None:
        super().__init__()
        check_chance("spec_augment", p)
        for name, share in (("time", time), ("bands", bands)):
            if not 0 < share < 1:
                raise WsedError(f"augment spec_augment: {name} is a share between 0 and 1, not {share:g}")
        check_range("spec_augment", "time_masks and band_masks in order of size", 0, max(time_masks, band_masks), 0)
        if min(time_masks, band_masks) < 0 or time_masks + band_masks == 0:
            raise WsedError("augment spec_augment: time_masks and band_masks must be 0 or more, one of them above 0")
        self.time, self.bands, self.time_masks, self.band_masks, self.p = time, bands, time_masks, band_masks, p

    def plan(self, batch: Batch, generator: torch.Generator) -> tuple[Batch, tuple[Tensor, ...]]:
        assert batch.features is not None
        n_clips, n_bands, n_frames = batch.features.shape
        counts = [self.band_masks, self.band_masks, self.time_masks, self.time_masks]
        chance, *places = arrays(n_clips, [1, *counts], generator)
        valid = padding(batch)
        lengths = valid[0].sum(1).numpy() if valid else np.full(n_clips, n_frames)
        bands = covered(n_bands, np.full(n_clips, n_bands), self.bands, *places[:2]) & (chance < self.p)
        frames = covered(n_frames, lengths, self.time, *places[2:]) & (chance < self.p)
        return batch, (torch.from_numpy(bands), torch.from_numpy(frames), *valid)

    def change(self, signal: Tensor, *numbers: Tensor) -> Tensor:
        bands, frames, *valid = numbers
        mean = mean_over(signal, *valid).mean(1, keepdim=True)
        return torch.where(bands[:, :, None] | frames[:, None], mean, signal)


def covered(
    n: int, lengths: NDArray[np.int64], widest: float, width: NDArray[np.float32], start: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Places covered by stretches, `[clip place]`.

    Args:
        n: number of places.
        lengths: number of places of each clip.
        widest: the widest stretch, as a share of the length of its clip.
        width: of each stretch, from 0 to 1 for the widest, `[clip stretch]`.
        start: where each stretch begins, from 0 to 1 for the last place where it fits, `[clip stretch]`.

    >>> covered(4, np.array([4, 2]), 0.5, np.ones((2, 1), np.float32), np.ones((2, 1), np.float32)).tolist()
    [[False, False, True, True], [False, True, False, False]]
    """
    length = lengths.astype(np.float32)[:, None]
    wide = width * np.float32(widest) * length
    first, place = start * (length - wide), np.arange(n, dtype=np.float32) + np.float32(0.5)
    within = (place >= first[:, :, None]) & (place < (first + wide)[:, :, None])
    result: NDArray[np.bool_] = np.any(within, axis=1)
    return result
