"""Statistics of bands exchanged between clips."""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.augment.base import AUGMENTS, Augment
from wsed.augment.draws import beta, check_alpha, check_chance, chosen
from wsed.augment.frames import mean_and_std, valid_frames
from wsed.augment.mixup import partners
from wsed.types import Batch


@AUGMENTS.register("mixstyle")
class MixStyle(Augment):
    """Moves each band's mean and deviation over time towards those of another clip; labels do not change.

    Mean and deviation depend on device and room; a network that sees them mixed learns not to rely on them.

    Args:
        alpha: parameter, up to 1, of the beta distribution of a clip's own share; 0.3 in Schmid et al. 2024.
        p: probability that a clip is changed; 0.5 in Schmid et al. 2024.

    Raises:
        WsedError: a setting is out of its range.

    Source: Zhou et al. 2021, "Domain generalization with MixStyle"; over frequency: Kim et al. 2022, "Domain
    generalization with relaxed instance frequency-wise normalization".

    >>> from wsed.testing import batch
    >>> inputs = replace(batch(), features=torch.rand(4, 16, 50) * torch.arange(1.0, 5)[:, None, None])
    >>> MixStyle(p=1.0)(inputs, torch.Generator().manual_seed(0)).features.shape
    torch.Size([4, 16, 50])
    """

    level = "features"
    mixes = True

    def __init__(self, alpha: float = 0.3, p: float = 0.5) -> None:
        super().__init__()
        check_alpha("mixstyle", alpha)
        check_chance("mixstyle", p)
        self.alpha, self.p = alpha, p

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        features = batch.features
        assert features is not None
        other = partners(torch.zeros_like(batch.source), generator)
        share = beta(len(batch), self.alpha, generator)
        share = torch.where(chosen(len(batch), self.p, generator), share, 1.0)
        return replace(batch, features=restyle(features, valid_frames(batch), other, share))


def restyle(
    features: Float[Tensor, "clip band frame"],
    frames: Bool[Tensor, "clip frame"],
    other: Int[Tensor, " clip"],
    share: Float[Tensor, " clip"],
) -> Float[Tensor, "clip band frame"]:
    """Features whose mean and deviation per band are mixed: `share` of the clip's own, `1 - share` of another clip's.

    Args:
        features: of the clips.
        frames: frames that hold signal; the others do not change.
        other: the index of the other clip.
        share: of the clip itself, in [0, 1].

    >>> features = torch.tensor([[[0.0, 2.0]], [[10.0, 30.0]]])
    >>> heard = torch.ones(2, 2, dtype=torch.bool)
    >>> restyle(features, heard, torch.tensor([1, 0]), torch.tensor([0.0, 1.0])).flatten(1).tolist()
    [[10.0, 30.0], [10.0, 30.0]]
    """
    mean, std = mean_and_std(features, frames)
    std = std.clamp(min=1e-6)
    by = share.to(features.dtype)[:, None, None]
    new_mean, new_std = by * mean + (1 - by) * mean[other], by * std + (1 - by) * std[other]
    stays = (by == 1) | ~frames[:, None]
    return torch.where(stays, features, (features - mean) / std * new_std + new_mean)
