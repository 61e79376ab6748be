"""Random numbers per clip, drawn from the generator of the batch, and checks of their settings."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.errors import WsedError


def uniform(
    shape: int | tuple[int, ...], low: float | int, high: float | int, generator: torch.Generator
) -> Float[Tensor, "*shape"]:
    """Numbers drawn uniformly between two bounds, on the generator's device.

    >>> uniform((2, 3), 5.0, 5.0, torch.Generator()).shape
    torch.Size([2, 3])
    """
    size = (shape,) if isinstance(shape, int) else shape
    return low + (high - low) * torch.rand(size, generator=generator, device=generator.device)


def chosen(n_clips: int, p: float, generator: torch.Generator) -> Bool[Tensor, " clip"]:
    """Mask of the clips that an augmentation is applied to, each with probability `p`.

    >>> chosen(3, 1.0, torch.Generator()).tolist()
    [True, True, True]
    """
    return torch.rand(n_clips, generator=generator, device=generator.device) < p


def beta(n_clips: int, alpha: float, generator: torch.Generator) -> Float[Tensor, " clip"]:
    """Draw numbers from the beta distribution with both parameters equal to `alpha`, by Jöhnk's method without a loop.

    Of 32 candidates per clip, the first accepted one is used. For `alpha` up to 1, at least half of the candidates are
    accepted, so that all 32 are rejected at most once in four billion clips.

    >>> draws = beta(1000, 0.2, torch.Generator().manual_seed(0))
    >>> bool(draws.min() >= 0), bool(draws.max() <= 1), round(draws.mean().item(), 1)
    (True, True, 0.5)
    """
    log = torch.rand(2, n_clips, 32, generator=generator, device=generator.device, dtype=torch.float64)
    x, y = (log.clamp(min=1e-300).log() / alpha).exp()
    first = (x + y <= 1).to(torch.uint8).argmax(1, keepdim=True)
    x, y = x.gather(1, first)[:, 0], y.gather(1, first)[:, 0]
    total = x + y
    # both round to zero for very small alpha: the distribution is then one of 0 and 1
    return torch.where(total > 0, x / total.clamp(min=1e-300), (log[0, :, 0] < 0.5).double()).float()


def check_chance(name: str, p: float) -> None:
    """Check a probability.

    Raises:
        WsedError: `p` is not from 0 to 1.
    """
    if not 0 <= p <= 1:
        raise WsedError(f"augment {name}: p is a probability from 0 to 1, not {p:g}")


def check_alpha(name: str, alpha: float) -> None:
    """Check the parameter of `beta`.

    Raises:
        WsedError: `alpha` is not above 0 and at most 1.
    """
    if not 0 < alpha <= 1:
        raise WsedError(f"augment {name}: alpha must be above 0 and at most 1, not {alpha:g}")


def check_range(name: str, what: str, low: float | int, high: float | int, least: float | int = -math.inf) -> None:
    """Check that two bounds are finite, in order, and not below `least`.

    Raises:
        WsedError: they are not finite, not in order, or below `least`.
    """
    if not (least <= low <= high and math.isfinite(low) and math.isfinite(high)):
        above = f" and at least {least:g}" if math.isfinite(least) else ""
        raise WsedError(f"augment {name}: {what} must be two finite numbers in order{above}, not {low:g} and {high:g}")
