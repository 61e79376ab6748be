"""The precision that losses are computed in, and whether a processor is quick in bfloat16."""

import platform

import torch
from jaxtyping import Float
from torch import Tensor

BFLOAT16 = ("bf16-mixed", "bf16", "16-mixed", "16")
"""Precisions of a trainer that are bfloat16 on a CPU."""


def at_least_float32(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The values in float32, or as they are if they are wider.

    In half precision `1 - 1e-7` is 1, so that scores cannot be kept away from 1 before a logarithm.

    >>> at_least_float32(torch.ones(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))


def slow_bfloat16() -> bool:
    """Whether this is an x86 processor without AVX-512: torch then emulates bfloat16, ten times slower than float32.

    >>> slow_bfloat16() in (True, False)
    True
    """
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return x86 and not torch.backends.cpu.get_cpu_capability().startswith("AVX512")
