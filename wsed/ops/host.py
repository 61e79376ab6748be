"""Whether reading the values of a tensor makes the CPU wait for an accelerator."""

import torch
from torch import Tensor


def on_cpu(tensor: Tensor) -> bool:
    """Whether the values can be read without waiting; on an accelerator, callers use a method that need not read them.

    >>> on_cpu(torch.zeros(1))
    True
    """
    # within torch.vmap a tensor stands for several, whose values cannot be read
    return tensor.device.type == "cpu" and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
