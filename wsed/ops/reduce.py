"""Means over a batch that is split over several ranks, and what one rank computes for all."""

from collections.abc import Callable
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from wsed.errors import WsedError

T = TypeVar("T")


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


def on_all(compute: Callable[[], T]) -> T:
    """What `compute` returns on this rank; if it fails on one rank, all ranks fail. Every rank must call it.

    Raises:
        Exception: that of this rank.
        WsedError: the message of another rank.

    >>> on_all(lambda: 3)
    3
    """
    result, error = list[T](), None
    try:
        result.append(compute())
    except Exception as own:
        error = own
    messages = ["" if error is None else str(error) or type(error).__name__] * world_size()
    if world_size() > 1:
        dist.all_gather_object(messages, messages[0])
    if error is not None:
        raise error
    for other, message in enumerate(messages):
        if message:
            raise WsedError(f"process {other}: {message}")
    return result[0]


def from_first(compute: Callable[[], T]) -> T:
    """What rank 0 computes, on all ranks; the others wait for it. Every rank must call it.

    Args:
        compute: called by rank 0 only; what it returns is sent as a pickle.

    Raises:
        WsedError: the message of any error that `compute` raised on rank 0; there, the error itself is raised.

    >>> from_first(lambda: 3)
    3
    """
    if world_size() == 1:
        return compute()
    result: list[T] = []
    if rank() == 0:
        try:
            result.append(compute())
        except Exception as error:
            dist.broadcast_object_list([[], str(error) or type(error).__name__], src=0)
            raise
    sent = [result, ""]
    dist.broadcast_object_list(sent, src=0)
    if sent[1]:
        raise WsedError(f"process 0: {sent[1]}")
    return result[0] if rank() == 0 else sent[0][0]  # type: ignore[return-value]


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
