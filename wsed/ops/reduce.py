"""Means that do not depend on how a batch is spread over ranks."""

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def masked_mean(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean of `values` where `mask` holds, over all ranks: a 0-d float32 (or float64) tensor.

    The sum of this rank is divided by the count of *all* ranks and multiplied by their number. DDP averages the
    gradients over ranks, so N processes give the gradients of one process that saw all clips; likewise the
    average of the returned values over ranks is the mean over all clips.

    Args:
        values: any shape.
        mask: boolean, broadcastable to `values`; everything counts if None.

    Returns:
        The mean, or a zero attached to the graph where the mask holds nowhere on any rank. Values outside the
        mask may be NaN or infinite: neither they nor their gradients get through.
    """
    values = values if values.dtype == torch.float64 else values.float()
    if mask is None:
        mask = torch.ones((), dtype=torch.bool, device=values.device)
    mask = mask.expand_as(values)
    return torch.where(mask, values, 0.0).sum() * world_size() / count(mask, values.dtype)


def count(mask: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Where `mask` holds, over all ranks: 0-d and at least 1, to divide by. Every rank must call it."""
    total = mask.sum().to(dtype)
    if world_size() > 1:
        dist.all_reduce(total)
    return total.clamp(min=1)
