"""A simulated accelerator: its tensors say that they are elsewhere, and what it would have to do is counted."""

from collections import Counter
from typing import cast

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from wsed.augment.draws import Draws

DEVICE = "meta"
LOOKS = ("_local_scalar_dense", "nonzero", "equal", "masked_select", "_unique2", "unique_dim", "bincount")
"""Operations whose result, or the size of it, comes from the values: an accelerator must be waited for."""


class Remote(Tensor):
    """A tensor whose device is `DEVICE`; its values are those of a tensor on the CPU."""

    hidden: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> "Remote":
        made: Remote = torch.Tensor._make_wrapper_subclass(
            cls, values.shape, strides=values.stride(), dtype=values.dtype, device=torch.device(DEVICE)
        )
        made.hidden = values
        return made

    @classmethod
    def __torch_dispatch__(cls, func: object, *_: object) -> object:
        raise AssertionError(f"{func} of an accelerator's tensor outside of `Accelerator`")


class Accelerator(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, tensors moved to the device `meta` are `Remote`, and what an accelerator would do is counted.

    `operations` counts what is started there by name, `waits` names what makes the CPU wait for a result, `transfers`
    is the number of transfers to it, and `on_cpu` that of operations on the CPU.

    >>> with Accelerator() as accelerator:
    ...     x = torch.ones(3).to(DEVICE)
    ...     (2 * x).sum().item()
    6.0
    >>> dict(accelerator.operations), accelerator.waits, accelerator.transfers
    ({'mul': 1, 'sum': 1}, ['_local_scalar_dense'], 1)
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.clear()

    def clear(self) -> None:
        """Count from the beginning."""
        self.operations: Counter[str] = Counter()
        self.waits: list[str] = []
        self.transfers, self.on_cpu = 0, 0

    def __torch_dispatch__(
        self, func: torch._ops.OpOverload, types: object, args: tuple[object, ...] = (), kwargs: object = None
    ) -> object:
        name, options = func.__name__.split(".")[0], dict(cast(dict[str, object], kwargs or {}))
        tensors = [x for x in tree_flatten((args, options))[0] if isinstance(x, Tensor)]
        remote = any(isinstance(tensor, Remote) for tensor in tensors)
        device = options.get("device")
        there = remote if device is None else torch.device(str(device)).type == DEVICE
        options |= {} if device is None else {"device": "cpu"}
        if name == "_to_copy" and there != remote:
            self._count_move(name, there)
        elif remote or there:
            self._count(func, name, tensors, args)
        else:
            self.on_cpu += 1
        values, options = tree_map(lambda x: x.hidden if isinstance(x, Remote) else x, (args, options))
        result = func(*values, **options)
        if not there or name == "_local_scalar_dense":
            return result
        return tree_map(lambda x: Remote(x) if isinstance(x, Tensor) else x, result)

    def _count_move(self, name: str, there: bool) -> None:
        if there:
            self.transfers += 1
        else:
            self.waits.append(name)

    def _count(self, func: torch._ops.OpOverload, name: str, tensors: list[Tensor], args: tuple[object, ...]) -> None:
        own = [tensor for tensor in tensors if tensor.ndim and not isinstance(tensor, Remote)]
        assert not own, f"{name}: tensors of the accelerator and of the CPU ({own[0].dtype}, {tuple(own[0].shape)})"
        by_mask = name.startswith(("index", "_index_put")) and any(
            isinstance(i, Tensor) and i.dtype == torch.bool for i in tree_flatten(args[1:2])[0]
        )
        if name in LOOKS or by_mask:
            self.waits.append(name)
        alias = [result.alias_info for result in func._schema.returns]
        if name != "_local_scalar_dense" and not any(one is not None and not one.is_write for one in alias):
            self.operations[name] += 1  # not a view


def draws(seed: int) -> Draws:
    """A generator for batches on the simulated accelerator.

    >>> draws(0).device.type
    'meta'
    """
    made = _Draws()
    made.manual_seed(seed)
    made.host = Draws.of("cpu", seed)
    return made


class _Draws(Draws):
    device = torch.device(DEVICE)
