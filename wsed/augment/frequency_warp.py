"""Stretching and compressing along frequency."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from wsed.augment.base import AUGMENTS, Planned
from wsed.augment.draws import check_chance, chosen, on_host, uniform
from wsed.errors import WsedError
from wsed.types import Batch


@AUGMENTS.register("frequency_warp")
class FrequencyWarp(Planned):
    """Stretches or compresses the features of a clip along frequency around a random band; labels do not change.

    Features are interpolated between bands; outside the edges, the outermost band is repeated.

    Args:
        most: largest change of scale; with 0.1, scales are from 0.9 to 1.1.
        p: probability that a clip is warped; 0.5 in Schmid et al. 2024, 0.8 in PretrainedSED.

    Raises:
        WsedError: a setting is out of its range.

    >>> from wsed.testing import batch
    >>> from dataclasses import replace
    >>> inputs = replace(batch(), features=torch.arange(16.0).view(1, 16, 1).expand(4, 16, 50))
    >>> warped = FrequencyWarp(p=1.0)(inputs, torch.Generator().manual_seed(0)).features
    >>> warped.shape == inputs.features.shape, bool((warped.diff(dim=1) >= 0).all())
    (True, True)
    """

    level = "features"

    def __init__(self, most: float = 0.1, p: float = 0.5) -> None:
        super().__init__()
        check_chance("frequency_warp", p)
        if not 0 < most < 1:
            raise WsedError(f"augment frequency_warp: most must be between 0 and 1, not {most:g}")
        self.most, self.p = most, p

    def plan(self, batch: Batch, generator: torch.Generator) -> tuple[Batch, tuple[Tensor, ...]]:
        assert batch.features is not None
        n_clips, n_bands, _ = batch.features.shape
        draws = on_host(generator)
        scale = 1 + uniform(n_clips, -self.most, self.most, draws)
        centre = uniform(n_clips, 0, n_bands - 1, draws)
        scale = torch.where(chosen(n_clips, self.p, draws), scale, 1.0)
        return batch, neighbours(n_bands, scale, centre)

    def change(self, signal: Tensor, *numbers: Tensor) -> Tensor:
        below, above, way = numbers
        return between(signal, below, above, way)


def neighbours(
    n_bands: int, scale: Float[Tensor, " clip"], centre: Float[Tensor, " clip"]
) -> tuple[Int[Tensor, " row"], Int[Tensor, " row"], Float[Tensor, " row"]]:
    """Where band `b` of each clip was before, if it was at place `centre + scale (b - centre)`.

    Returns:
        the bands below and above that place, as rows of all bands of all clips, and the way from one to the other.

    >>> below, above, way = neighbours(4, torch.tensor([0.5]), torch.tensor([0.0]))
    >>> below.tolist(), above.tolist(), way.tolist()
    ([0, 0, 1, 1], [1, 1, 2, 2], [0.0, 0.5, 0.0, 0.5])
    """
    band = torch.arange(n_bands, device=scale.device)
    place = (centre[:, None] + scale[:, None] * (band - centre[:, None])).clamp(0, n_bands - 1)
    place = torch.where(scale[:, None] == 1, band.to(place.dtype), place)  # exact where nothing changes
    below = place.floor().long()
    first = n_bands * torch.arange(len(scale), device=scale.device)[:, None]
    return (
        (below + first).flatten(),
        ((below + 1).clamp(max=n_bands - 1) + first).flatten(),
        (place - below).flatten(),
    )


def between(
    features: Float[Tensor, "clip band frame"],
    below: Int[Tensor, " row"],
    above: Int[Tensor, " row"],
    way: Float[Tensor, " row"],
) -> Float[Tensor, "clip band frame"]:
    """Features between two bands each; see `neighbours`.

    >>> ramp = torch.arange(4.0).view(1, 4, 1)
    >>> between(ramp, *neighbours(4, torch.tensor([0.5]), torch.tensor([0.0]))).flatten().tolist()
    [0.0, 0.5, 1.0, 1.5]
    """
    rows = features.flatten(0, 1)
    return torch.lerp(rows.index_select(0, below), rows.index_select(0, above), way[:, None].to(rows.dtype)).view_as(
        features
    )
