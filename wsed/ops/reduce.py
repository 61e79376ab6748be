"""Means over a batch that is split over several ranks."""

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """Number of processes that train together.

    >>> world_size()
    1
    """
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of the processes this is, from 0.

    >>> rank()
    0
    """
    return dist.get_rank() if world_size() > 1 else 0


def masked_mean(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean of the `values` whose `mask` is True, over all ranks: a 0-d float32 (or float64) tensor.

    The sum of this rank is divided by the count over *all* ranks and multiplied by the number of ranks. DDP averages
    the gradients over ranks, so N processes give the same gradients as one process with all clips. Likewise, the
    average of the returned values over ranks is the mean over all clips. Every rank must call it.

    Args:
        values: any shape.
        mask: boolean, broadcastable to `values`; everything counts if None.

    Returns:
        The mean, or a zero attached to the graph if the mask is False everywhere on all ranks. Values outside the mask
        may be NaN or infinite: they affect neither the mean nor the gradients.

    >>> masked_mean(torch.tensor([1.0, 3.0, float("nan")]), torch.tensor([True, True, False]))
    tensor(2.)
    """
    values = values if values.dtype == torch.float64 else values.float()
    if mask is None:
        mask = torch.ones((), dtype=torch.bool, device=values.device)
    mask = mask.expand_as(values)
    return torch.where(mask, values, 0.0).sum() * world_size() / count(mask, values.dtype)


def count(mask: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Number of True values of `mask` over all ranks, at least 1 so that one can divide by it: a 0-d tensor.

    Every rank must call it.

    >>> count(torch.tensor([True, True, False])), count(torch.tensor([False]))
    (tensor(2.), tensor(1.))
    """
    total = mask.sum().to(dtype)
    if world_size() > 1:
        dist.all_reduce(total)
    return total.clamp(min=1)
