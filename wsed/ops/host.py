"""Whether reading the values of a tensor makes the CPU wait for an accelerator."""

from torch import Tensor


def on_cpu(tensor: Tensor) -> bool:
    """Whether the values can be read without waiting; on an accelerator, callers use a method that need not read them.

    >>> import torch
    >>> on_cpu(torch.zeros(1))
    True
    """
    return tensor.device.type == "cpu"
