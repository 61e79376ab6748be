"""Random numbers per clip, drawn from the generator of the batch, and checks of their settings."""

import math
import os
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from wsed.errors import WsedError
from wsed.transfer import sent


class Draws(torch.Generator):
    """The generator of one process among several: its clips get the numbers that they would get in a single process.

    Samplers distribute clips in turn: clip `i` of this process is clip `ranks * i + rank` of the batches of all
    processes together. Functions that draw per clip draw for all processes and keep their own share: see `per_clip`.

    >>> one, other = Draws.of("cpu", seed=0, rank=0, ranks=2), Draws.of("cpu", seed=0, rank=1, ranks=2)
    >>> alone = uniform(4, 0, 1, Draws.of("cpu", seed=0))
    >>> bool((uniform(2, 0, 1, one) == alone[0::2]).all()), bool((uniform(2, 0, 1, other) == alone[1::2]).all())
    (True, True)
    """

    rank, ranks = 0, 1
    own: NDArray[np.int64] | None = None
    """Places of the clips of this process among the `total` clips of all processes; None: distributed in turn."""
    total = 0
    host: "Draws"
    """For a generator on an accelerator: one on the CPU with the same seed and rank; see `on_host`."""

    @classmethod
    def of(cls, device: torch.device | str, seed: int, rank: int = 0, ranks: int = 1) -> "Draws":
        """A generator on a device.

        Args:
            device: of the batch.
            seed: the same in all processes.
            rank: of this process.
            ranks: number of processes.
        """
        draws = cls(device)
        draws.manual_seed(seed)
        draws.rank, draws.ranks = rank, ranks
        if draws.device.type != "cpu":
            draws.host = cls.of("cpu", seed, rank, ranks)
        return draws

    def at(self, own: NDArray[np.int64], total: int) -> "Draws":
        """Draw for clips that are not distributed in turn; returns the generator itself.

        Args:
            own: places of the clips of this process among the clips of all processes, ascending.
            total: number of clips of all processes.

        >>> draws = Draws.of("cpu", seed=0, rank=1, ranks=2).at(np.array([2, 3]), total=4)
        >>> per_clip(2, draws, torch.arange).tolist()
        [2, 3]
        """
        self.own, self.total = own, total
        if self.device.type != "cpu":
            self.host.at(own, total)
        return self


def on_host(generator: torch.Generator) -> torch.Generator:
    """A generator on the CPU, where numbers can be read without waiting for an accelerator.

    `Draws` have one. For another generator on an accelerator, a seed is drawn there, and the accelerator is waited for.

    >>> draws = Draws.of("cpu", seed=0)
    >>> on_host(draws) is draws
    True
    """
    if generator.device.type == "cpu":
        return generator
    if isinstance(generator, Draws):
        return generator.host
    seed = torch.randint(2**62, (1,), generator=generator, device=generator.device)
    return Draws.of("cpu", int(seed))


def run_seed() -> int:
    """The seed of the run, as Lightning's `seed_everything` keeps it in the environment; 0 if it was not called.

    >>> isinstance(run_seed(), int)
    True
    """
    return int(os.environ.get("PL_GLOBAL_SEED", "0"))


def per_clip(n_clips: int, generator: torch.Generator, draw: Callable[[int], Tensor]) -> Tensor:
    """Numbers for the clips of this process.

    Args:
        n_clips: clips of this process.
        generator: source of the random numbers.
        draw: draws for a number of clips, `[clip ...]`.

    >>> per_clip(3, torch.Generator(), torch.arange).tolist()
    [0, 1, 2]
    >>> per_clip(3, Draws.of("cpu", seed=0, rank=1, ranks=2), torch.arange).tolist()
    [1, 3, 5]
    """
    own, total = places(n_clips, generator)
    drawn = draw(total)
    if isinstance(own, slice):
        return drawn[own]
    return drawn[sent([torch.from_numpy(own)], drawn.device)[0]]


def places(n_clips: int, generator: torch.Generator) -> tuple[slice | NDArray[np.int64], int]:
    """Places of the clips of this process among those of all processes, and the number of those.

    >>> places(3, Draws.of("cpu", seed=0, rank=1, ranks=2))
    (slice(1, None, 2), 6)
    """
    if not isinstance(generator, Draws):
        return slice(None), n_clips
    if generator.own is None:
        return slice(generator.rank, None, generator.ranks), n_clips * generator.ranks
    return generator.own, generator.total


def uniform(
    shape: int | tuple[int, ...], low: float | int, high: float | int, generator: torch.Generator
) -> Float[Tensor, "*shape"]:
    """Numbers drawn uniformly between two bounds, `[clip ...]`, on the generator's device.

    >>> uniform((2, 3), 5.0, 5.0, torch.Generator()).shape
    torch.Size([2, 3])
    """
    size = (shape,) if isinstance(shape, int) else shape
    drawn = per_clip(
        size[0], generator, lambda n: torch.rand((n, *size[1:]), generator=generator, device=generator.device)
    )
    return drawn if (low, high) == (0, 1) else low + (high - low) * drawn


def chosen(n_clips: int, p: float, generator: torch.Generator) -> Bool[Tensor, " clip"]:
    """Mask of the clips that an augmentation is applied to, each with probability `p`.

    >>> chosen(3, 1.0, torch.Generator()).tolist()
    [True, True, True]
    """
    return uniform(n_clips, 0, 1, generator) < p


def arrays(n_clips: int, sizes: Sequence[int], generator: torch.Generator) -> list[NDArray[np.float32]]:
    """Numbers drawn uniformly from 0 to 1 as arrays, `[clip size]` for each size, on the CPU.

    They are those of `uniform`, called once per size, in a fraction of the time.

    >>> one, three = arrays(2, [1, 3], torch.Generator().manual_seed(0))
    >>> draws = torch.Generator().manual_seed(0)
    >>> all((of == uniform(of.shape, 0, 1, draws).numpy()).all() for of in (one, three))
    True
    """
    host = on_host(generator)
    own, rows = places(n_clips, host)
    drawn = torch.rand(rows * sum(sizes), generator=host).numpy()
    ends = [rows * sum(sizes[:i]) for i in range(len(sizes) + 1)]
    return [drawn[ends[i] : ends[i + 1]].reshape(rows, size)[own] for i, size in enumerate(sizes)]


def beta(n_clips: int, alpha: float, generator: torch.Generator) -> Float[Tensor, " clip"]:
    """Draw numbers from the beta distribution with both parameters equal to `alpha`, by Jöhnk's method without a loop.

    Of 32 candidates per clip, the first accepted one is used. For `alpha` up to 1, at least half of the candidates are
    accepted, so that all 32 are rejected at most once in four billion clips.

    >>> draws = beta(1000, 0.2, torch.Generator().manual_seed(0))
    >>> bool(draws.min() >= 0), bool(draws.max() <= 1), round(draws.mean().item(), 1)
    (True, True, 0.5)
    """
    host = on_host(generator)
    pairs = per_clip(
        n_clips, host, lambda n: torch.rand(2, n, 32, generator=host, dtype=torch.float64).transpose(0, 1)
    ).numpy()
    for tried in (6, 32):  # mostly, one of the first is accepted
        candidates = np.exp(np.log(np.maximum(pairs[:, :, :tried], 1e-300)) / alpha)
        total = candidates.sum(1)
        if (total <= 1).any(1).all():
            break
    row, first = np.arange(n_clips), (total <= 1).argmax(1)
    x, total = candidates[row, 0, first], total[row, first]
    # both round to zero for very small alpha: the distribution is then one of 0 and 1
    share = np.where(total > 0, x / np.maximum(total, 1e-300), pairs[:, 0, 0] < 0.5)
    return torch.from_numpy(share.astype(np.float32)).to(generator.device)


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
