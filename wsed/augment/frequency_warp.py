"""Stretching and compressing along frequency."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from wsed.augment.base import AUGMENTS, Augment
from wsed.augment.draws import check_chance, chosen, uniform
from wsed.errors import WsedError
from wsed.types import Batch


@AUGMENTS.register("frequency_warp")
class FrequencyWarp(Augment):
    """Stretches or compresses the features of a clip along frequency around a random band; labels do not change.

    Features are interpolated between bands; outside the edges, the outermost band is repeated.

    Args:
        most: largest change of scale; with 0.1, scales are from 0.9 to 1.1.
        p: probability that a clip is warped; 0.5 in Schmid et al. 2024, 0.8 in PretrainedSED.

    Raises:
        WsedError: a setting is out of its range.

    >>> from wsed.testing import batch
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

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        features = batch.features
        assert features is not None
        n_clips, n_bands, _ = features.shape
        scale = 1 + uniform(n_clips, -self.most, self.most, generator)
        centre = uniform(n_clips, 0, n_bands - 1, generator)
        scale = torch.where(chosen(n_clips, self.p, generator), scale, 1.0)
        return replace(batch, features=warp(features, scale, centre))


def warp(
    features: Float[Tensor, "clip band frame"], scale: Float[Tensor, " clip"], centre: Float[Tensor, " clip"]
) -> Float[Tensor, "clip band frame"]:
    """Features whose band `b` was at place `centre + scale (b - centre)` before.

    >>> ramp = torch.arange(4.0).view(1, 4, 1)
    >>> warp(ramp, torch.tensor([0.5]), torch.tensor([0.0])).flatten().tolist()
    [0.0, 0.5, 1.0, 1.5]
    """
    n_bands = features.shape[1]
    band = torch.arange(n_bands, device=features.device)
    place = (centre[:, None] + scale[:, None] * (band - centre[:, None])).clamp(0, n_bands - 1)
    place = torch.where(scale[:, None] == 1, band.to(place.dtype), place)  # exact where nothing changes
    below = place.floor().long()
    way = (place - below)[:, :, None].to(features.dtype)
    above = (below + 1).clamp(max=n_bands - 1)
    one, two = (features.gather(1, at[:, :, None].expand_as(features)) for at in (below, above))
    return one + way * (two - one)
