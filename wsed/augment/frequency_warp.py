"""Stretching and compressing along frequency."""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from wsed.augment.base import AUGMENTS, Planned
from wsed.augment.draws import arrays, check_chance
from wsed.errors import WsedError
from wsed.types import Batch


@AUGMENTS.register("frequency_warp")
class FrequencyWarp(Planned):
    """Stretches or compresses the features of a clip along frequency around a random band; labels do not change.

    Features are interpolated between bands; outside the edges, the outermost band is repeated.

    Args:
        most: largest change of scale; with 0.1, which is our choice, scales are from 0.9 to 1.1.
        p: probability that a clip is warped; 0.5 in Schmid et al. 2024, 0.8 in PretrainedSED.

    Raises:
        WsedError: a setting is out of its range.

    Source: Schmid et al. 2024 (DCASE 2024 task 4) and PretrainedSED, for the idea and `p`.

    >>> from wsed.testing import batch
    >>> from dataclasses import replace
    >>> inputs = replace(batch(), features=torch.arange(16.0).view(1, 16, 1).expand(4, 16, 50))
    >>> warped = FrequencyWarp(p=1.0)(inputs, torch.Generator().manual_seed(0)).features
    >>> warped.shape == inputs.features.shape, bool((warped.diff(dim=1) >= 0).all())
    (True, True)
    """

    level = "features"
    of_levels = True

    def __init__(self, most: float = 0.1, p: float = 0.5) -> None:
        super().__init__()
        check_chance("frequency_warp", p)
        if not 0 < most < 1:
            raise WsedError(f"augment frequency_warp: most must be between 0 and 1, not {most:g}")
        self.most, self.p = most, p

    def plan(self, batch: Batch, generator: torch.Generator) -> tuple[Batch, tuple[Tensor, ...]]:
        assert batch.features is not None
        n_clips, n_bands, _ = batch.features.shape
        scale, centre, chance = arrays(n_clips, [1, 1, 1], generator)
        scale = np.where(chance < self.p, 1 + (2 * self.most * scale - self.most), np.float32(1))
        return batch, tuple(map(torch.from_numpy, neighbours(n_bands, scale, (n_bands - 1) * centre)))

    def change(self, signal: Tensor, *numbers: Tensor) -> Tensor:
        below, above, way = numbers
        return between(signal, below, above, way)


def neighbours(
    n_bands: int, scale: NDArray[np.float32], centre: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Where band `b` of each clip was before, if it was at place `centre + scale (b - centre)`.

    Args:
        n_bands: number of bands.
        scale: of each clip, `[clip 1]`.
        centre: of each clip, `[clip 1]`.

    Returns:
        the bands below and above that place, as rows of all bands of all clips, and the way from one to the other.

    >>> below, above, way = neighbours(4, np.float32([[0.5]]), np.float32([[0.0]]))
    >>> below.tolist(), above.tolist(), way.tolist()
    ([0, 0, 1, 1], [1, 1, 2, 2], [0.0, 0.5, 0.0, 0.5])
    """
    band = np.arange(n_bands, dtype=np.float32)
    place = np.clip(centre + scale * (band - centre), 0, n_bands - 1)
    place = np.where(scale == 1, band, place)  # exact where nothing changes
    below = place.astype(np.int64)
    first = n_bands * np.arange(len(scale))[:, None]
    above = np.minimum(below + 1, n_bands - 1) + first
    return (below + first).ravel(), above.ravel(), (place - below).astype("f4").ravel()


def between(
    features: Float[Tensor, "clip band frame"],
    below: Int[Tensor, " row"],
    above: Int[Tensor, " row"],
    way: Float[Tensor, " row"],
) -> Float[Tensor, "clip band frame"]:
    """Features between two bands each; see `neighbours`.

    >>> ramp = torch.arange(4.0).view(1, 4, 1)
    >>> places = neighbours(4, np.float32([[0.5]]), np.float32([[0.0]]))
    >>> between(ramp, *map(torch.from_numpy, places)).flatten().tolist()
    [0.0, 0.5, 1.0, 1.5]
    """
    rows = features.flatten(0, 1)
    return torch.lerp(rows.index_select(0, below), rows.index_select(0, above), way[:, None].to(rows.dtype)).view_as(
        features
    )
