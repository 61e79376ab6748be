"""Small tensors sent to an accelerator together, and their values on the CPU, which stay known there."""

from collections.abc import Iterable

import torch
from torch import Tensor

LARGE = 2**20
"""Bytes of a tensor that is sent alone, since copying it first would take longer than another transfer."""

_KEPT = "values_on_cpu"


def sent(tensors: Iterable[Tensor], device: torch.device | str, non_blocking: bool = True) -> list[Tensor]:
    """Tensors on a device; small ones of the CPU go to an accelerator in one transfer, which nothing waits for.

    Args:
        tensors: on any devices.
        device: where they are sent.
        non_blocking: whether large ones, too, are not waited for if they go from pinned memory to a CUDA device.

    >>> sent([torch.zeros(2), torch.ones(3, dtype=torch.bool)], "cpu")[1].tolist()
    [True, True, True]
    """
    given, device = list(tensors), torch.device(device)
    packed = [device.type != "cpu" and t.device.type == "cpu" and t.nbytes < LARGE for t in given]
    non_blocking &= device.type == "cuda"  # elsewhere, values could be read before they are there (pytorch issue 83015)
    result = [t if small else t.to(device, non_blocking=non_blocking) for t, small in zip(given, packed, strict=True)]
    types = {t.dtype for t, small in zip(given, packed, strict=True) if small}
    if not types:
        return result
    order = sorted(types, key=lambda kind: (-kind.itemsize, str(kind)))  # then each begins at a multiple of its size
    rows = [[i for i, small in enumerate(packed) if small and given[i].dtype == kind] for kind in order]
    parts = [torch.cat([given[i].reshape(-1) for i in row]).view(torch.uint8) for row in rows]
    sizes, pinned = [len(part) for part in parts], device.type == "cuda"
    target = torch.empty(sum(sizes), dtype=torch.uint8, pin_memory=pinned)
    moved = torch.cat(parts, out=target).to(device, non_blocking=pinned).split_with_sizes(sizes)
    for kind, row, part in zip(order, rows, moved, strict=True):
        for i, flat in zip(row, part.view(kind).split_with_sizes([given[i].numel() for i in row]), strict=True):
            result[i] = flat if given[i].ndim == 1 else flat.view(given[i].shape)
            if not (flat.is_inference() or given[i].is_inference()):
                vars(result[i])[_KEPT] = given[i], given[i]._version, flat._version
    return result


def on_cpu(tensor: Tensor) -> Tensor:
    """The values of a tensor on the CPU, without waiting if it was `sent` and neither copy has been changed since.

    >>> on_cpu(torch.ones(2)).tolist()
    [1.0, 1.0]
    """
    if tensor.device.type == "cpu":
        return tensor
    kept: tuple[Tensor, int, int] | None = vars(tensor).get(_KEPT)
    if kept is not None and kept[1:] == (kept[0]._version, tensor._version):
        return kept[0]
    return tensor.cpu()
