"""Random filters over frequency."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wsed.augment.base import AUGMENTS, Augment, Planned
from wsed.augment.draws import arrays, check_chance, check_range, on_host, per_clip
from wsed.errors import WsedError
from wsed.types import Batch


@AUGMENTS.register("filter_augment")
class FilterAugment(Planned):
    """Amplifies some frequency ranges and attenuates others, like rooms and microphones; labels do not change.

    The bands are divided into a random number of ranges of random width. With `step`, all bands of a range have the
    same gain; with `linear`, gains are drawn at the borders of ranges and interpolated.

    Args:
        kind: `step` or `linear`.
        decibels: gains are drawn uniformly between `-decibels` and `decibels`; 6 in Schmid et al. 2024, 26 in MAT-SED
            (Cai et al. 2024).
        least: smallest number of ranges; 3 in Schmid et al. 2024, 2 in MAT-SED.
        most: largest number of ranges; 6 and 5.
        width: smallest number of bands of a range; 6 and 4.
        p: probability that a clip is filtered; 0.8 in Schmid et al. 2024.

    The unit of the features is that of the frontend (`Frontend.decibel`); without a network, it is the decibel.

    Raises:
        WsedError: a setting is out of its range, or (in training) the ranges need more bands than there are.

    Source: Nam, Kim and Park 2022, "FilterAugment: an acoustic environmental data augmentation method".

    >>> from wsed.testing import batch
    >>> from dataclasses import replace
    >>> inputs = replace(batch(), features=torch.zeros(4, 64, 50))
    >>> filtered = FilterAugment(p=1.0)(inputs, torch.Generator().manual_seed(0)).features
    >>> bool((filtered == filtered[:, :, :1]).all()), bool(filtered.abs().max() <= 6)
    (True, True)
    """

    level = "features"
    of_levels = True

    def __init__(
        self,
        kind: Literal["step", "linear"] = "step",
        decibels: float = 6.0,
        least: int = 3,
        most: int = 6,
        width: int = 6,
        p: float = 0.8,
    ) -> None:
        super().__init__()
        check_chance("filter_augment", p)
        check_range("filter_augment", "least and most", least, most, 2)
        if decibels <= 0 or width < 1:
            raise WsedError("augment filter_augment: decibels must be above 0, and width at least 1")
        self.kind, self.decibels, self.least, self.most, self.width, self.p = kind, decibels, least, most, width, p

    @classmethod
    def example(cls) -> Augment:
        """With narrow ranges, for features with few bands."""
        return cls(width=1, decibels=1.0)

    def plan(self, batch: Batch, generator: torch.Generator) -> tuple[Batch, tuple[Tensor, ...]]:
        assert batch.features is not None
        n_clips, n_bands, _ = batch.features.shape
        if self.most * self.width > n_bands:
            raise WsedError(
                f"augment filter_augment: {self.most} ranges of {self.width} bands or more need "
                f"{self.most * self.width} bands, but the frontend has {n_bands}; lower most or width"
            )
        gains = self.decibels * self.decibel * curves(n_clips, n_bands, self, generator)
        (chance,) = arrays(n_clips, [1], generator)
        return batch, (torch.from_numpy(gains * (chance < self.p)),)

    def change(self, signal: Tensor, *numbers: Tensor) -> Tensor:
        (gains,) = numbers
        return signal + gains[:, :, None].to(signal.dtype)


def curves(n_clips: int, n_bands: int, of: FilterAugment, generator: torch.Generator) -> NDArray[np.float32]:
    """A curve over the bands per clip, from -1 to 1, `[clip band]`.

    >>> curves(2, 64, FilterAugment(), torch.Generator()).shape
    (2, 64)
    """
    host = on_host(generator)
    count = per_clip(n_clips, host, lambda n: torch.randint(of.least, of.most + 1, (n, 1), generator=host)).numpy()
    place, value = arrays(n_clips, [of.most - 1, of.most + 1], host)
    value = 2 * value - 1
    inner = np.arange(of.most - 1) < count - 1  # which of the possible borders exist
    # sorted places among the bands that the smallest widths leave free, each moved by the widths below it
    place = np.sort(np.where(inner, place, np.float32(2)), 1)
    moved = np.floor(place * (n_bands - count * of.width).astype("f4")) + np.arange(1, of.most) * of.width
    border = np.where(inner, moved, n_bands).astype("f4")
    band, row = np.arange(n_bands, dtype=np.float32), np.arange(n_clips)[:, None]
    index = (border[:, :, None] <= band).sum(1)
    result: NDArray[np.float32] = value[row, index]
    if of.kind == "step":
        return result
    edges = np.pad(border, ((0, 0), (1, 1)), constant_values=(0, n_bands))
    left, right = edges[row, index], edges[row, index + 1]
    way = np.clip((band - left) / np.maximum(right - left - 1, 1), 0, 1)
    result += way * (value[row, index + 1] - result)
    return result
