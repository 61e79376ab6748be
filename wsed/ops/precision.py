"""The precision that losses are computed in."""

import torch
from jaxtyping import Float
from torch import Tensor


def at_least_float32(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The values in float32, or as they are if they are wider.

    In half precision `1 - 1e-7` is 1, so that scores cannot be kept away from 1 before a logarithm.

    >>> at_least_float32(torch.ones(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
