"""Rows of tensors exchanged between the processes of a training."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Protocol
from weakref import WeakKeyDictionary

import torch
import torch.distributed as dist
from torch import Tensor

from wsed.ops.reduce import world_size


class Exchange(Protocol):
    """How tensors are exchanged; every process must make the same calls in the same order."""

    def gathered(self, values: Tensor) -> Tensor:
        """The tensors of all processes, `[process *shape]`; their shapes must be equal."""

    def sent(self, rows: Tensor, to: Sequence[int], of: Sequence[int]) -> Tensor:
        """Rows from all processes, in the order of the processes.

        Args:
            rows: `[row ...]`, first those for process 0, then those for process 1, and so on.
            to: number of rows for each process.
            of: number of rows from each process.
        """


class Processes:
    """The exchange between the processes of `torch.distributed`, from and to the device of the tensor.

    Tensors on the CPU are exchanged by gloo, so that an accelerator is not waited for.

    >>> Processes().gathered(torch.zeros(3)).shape, Processes().sent(torch.ones(2, 5), [2], [2]).shape
    (torch.Size([1, 3]), torch.Size([2, 5]))
    """

    def gathered(self, values: Tensor) -> Tensor:
        """The tensors of all processes, `[process *shape]`."""
        if world_size() == 1:
            return values[None]
        parts = [torch.empty_like(values) for _ in range(world_size())]
        dist.all_gather(parts, values.contiguous(), group=_group(values.device))
        return torch.stack(parts)

    def sent(self, rows: Tensor, to: Sequence[int], of: Sequence[int]) -> Tensor:
        """Rows from all processes, in the order of the processes."""
        if world_size() == 1:
            return rows
        shape = rows.shape[1:]
        flat = rows.contiguous().view(len(rows), shape.numel())
        flat = flat.view(torch.uint8)  # gloo does not know all types
        received = flat.new_empty((sum(of), flat.shape[1]))
        dist.all_to_all_single(received, flat, list(of), list(to), group=_group(rows.device))
        return received.view(rows.dtype).view(len(received), *shape)


_USED: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def exchange() -> Exchange:
    """The exchange in use: that of `torch.distributed`, except within `exchanging_by`.

    >>> exchange().gathered(torch.ones(2)).tolist()
    [[1.0, 1.0]]
    """
    return _USED.get() or Processes()


@contextmanager
def exchanging_by(other: Exchange) -> Iterator[None]:
    """Use another exchange in this thread, as tests do that have threads instead of processes.

    >>> with exchanging_by(Processes()):
    ...     exchange().gathered(torch.ones(2)).tolist()
    [[1.0, 1.0]]
    """
    token = _USED.set(other)
    try:
        yield
    finally:
        _USED.reset(token)


_wait = timedelta(minutes=15)
"""How long a process waits for the others where a group is made for the CPU."""

_ON_CPU: "WeakKeyDictionary[dist.ProcessGroup, dist.ProcessGroup]" = WeakKeyDictionary()
"""For each group of all processes that cannot exchange tensors on the CPU: one that can."""


def wait_at_most(time: timedelta) -> None:
    """Set how long a process waits for the others when tensors on the CPU are exchanged beside an accelerator's.

    >>> wait_at_most(timedelta(minutes=15))
    """
    global _wait
    _wait = time


def _group(device: torch.device) -> dist.ProcessGroup | None:
    """The group of all processes for tensors of a device; None: the default one. Made when it is first needed."""
    if device.type != "cpu" or "cpu:" in dist.get_backend_config():
        return None
    everyone = dist.group.WORLD
    assert everyone is not None
    if everyone not in _ON_CPU:
        group = dist.new_group(backend="gloo", timeout=_wait)
        assert isinstance(group, dist.ProcessGroup)
        _ON_CPU[everyone] = group
    return _ON_CPU[everyone]
