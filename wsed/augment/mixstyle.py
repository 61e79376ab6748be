"""Statistics of bands exchanged between clips."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.augment.base import AUGMENTS, Planned
from wsed.augment.draws import arrays, beta, check_alpha, check_chance, on_host
from wsed.augment.frames import mean_over, padding
from wsed.augment.partners import of_partners, partners
from wsed.types import Batch


@AUGMENTS.register("mixstyle")
class MixStyle(Planned):
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
    >>> from dataclasses import replace
    >>> inputs = replace(batch(), features=torch.rand(4, 16, 50) * torch.arange(1.0, 5)[:, None, None])
    >>> MixStyle(p=1.0)(inputs, torch.Generator().manual_seed(0)).features.shape
    torch.Size([4, 16, 50])
    """

    level = "features"
    joint = True

    def __init__(self, alpha: float = 0.3, p: float = 0.5) -> None:
        super().__init__()
        check_alpha("mixstyle", alpha)
        check_chance("mixstyle", p)
        self.alpha, self.p = alpha, p

    def plan(self, batch: Batch, generator: torch.Generator) -> tuple[Batch, tuple[Tensor, ...]]:
        draws = on_host(generator)
        other, share = partners(len(batch), draws), beta(len(batch), self.alpha, draws).numpy()
        (chance,) = arrays(len(batch), [1], draws)
        share = np.where(chance[:, 0] < self.p, share, np.float32(1))
        return batch, (torch.from_numpy(share), *other.numbers, *padding(batch))

    def change(self, signal: Tensor, *numbers: Tensor) -> Tensor:
        share, *rest = numbers
        frames = rest.pop() if rest[-1].dtype == torch.bool else None
        return restyle(signal, share, frames, *rest)


def restyle(
    features: Float[Tensor, "clip band frame"],
    share: Float[Tensor, " clip"],
    frames: Bool[Tensor, "clip frame"] | None,
    place: Int[Tensor, " clip"],
    *way: Tensor,
) -> Float[Tensor, "clip band frame"]:
    """Features whose mean and deviation per band are mixed: `share` of the clip's own, `1 - share` of another clip's.

    Args:
        features: of the clips.
        share: of the clip itself, in [0, 1].
        frames: frames that hold signal; the others do not change. None: all frames.
        place: index of the other clip; see `of_partners`.
        way: see `of_partners`.

    >>> features = torch.tensor([[[0.0, 2.0]], [[10.0, 30.0]]])
    >>> restyle(features, torch.tensor([0.0, 1.0]), None, torch.tensor([1, 0])).flatten(1).tolist()
    [[10.0, 30.0], [10.0, 30.0]]
    """
    mean = mean_over(features, frames)
    centred = features - mean
    std = mean_over(centred.square(), frames).sqrt_().clamp_(min=1e-6)
    own, by = torch.stack([mean, std], 1), share.to(features.dtype)[:, None, None]
    new_mean, new_std = torch.lerp(of_partners(own, place, *way), own, by[:, None]).unbind(1)
    stays = by == 1 if frames is None else (by == 1) | ~frames[:, None]
    return torch.where(stays, features, torch.addcmul(new_mean, centred, new_std / std))
