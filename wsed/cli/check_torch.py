"""Finds mistakes in the optimiser and the schedule of a configuration: classes of torch, which have no short names."""

import importlib
import inspect
from functools import cache

from wsed.cli.advice import EXAMPLES, check_beside, unknown
from wsed.errors import WsedError, near

HOMES = {
    "model.optimizer": ("torch.optim", "Optimizer"),
    "model.lr_scheduler": ("torch.optim.lr_scheduler", "LRScheduler"),
}
"""Settings that take a class of torch: its module, and its base class there."""


def check_torch(value: object, path: str) -> None:
    """Refuse classes that torch does not have, and settings that they do not have; other import paths are not checked.

    Raises:
        WsedError: with the setting, similar names, and what to write.

    >>> check_torch("adamw", "model.optimizer")
    Traceback (most recent call last):
    wsed.errors.WsedError: model.optimizer: unknown optimizer 'adamw' (did you mean AdamW ...
    """
    module, _ = HOMES[path]
    name: object = value
    arguments: object = None
    if isinstance(value, dict):
        check_beside(value, path)
        name, arguments = value.get("class_path"), value.get("init_args")
        if name is None:
            raise WsedError(f"{path} names no class; write {EXAMPLES[path]}")
    if not isinstance(name, str):
        return
    home, _, last = name.rpartition(".")
    if home not in ("", module):
        return
    classes = _classes(path)
    if last not in classes:
        kind = path.rpartition(".")[2]
        same = [name for name in classes if name.lower() == last.lower()]
        raise WsedError(f"{path}: unknown {kind} {last!r}{near(last, same or classes)}; write {EXAMPLES[path]}")
    known = list(inspect.signature(classes[last]).parameters)[1:]
    for key, item in arguments.items() if isinstance(arguments, dict) else ():
        if key not in known:
            raise WsedError(unknown(path, str(key), known))
        if key == "lr" and not isinstance(item, int | float):
            raise WsedError(f"{path}.lr is {item!r}, expected a number")


@cache
def _classes(path: str) -> dict[str, type]:
    module, base = HOMES[path]
    members = vars(importlib.import_module(module))
    return {n: c for n, c in members.items() if isinstance(c, type) and issubclass(c, members[base]) and n != base}
