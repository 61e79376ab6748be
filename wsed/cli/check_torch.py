"""Finds mistakes in the optimiser and the schedule of a configuration: classes of torch, which have no short names."""

import importlib
import inspect
from functools import cache

from wsed.cli.advice import EXAMPLES, check_beside, unknown
from wsed.cli.source import classes_in, exported, lacks, settings_in
from wsed.errors import WsedError, near

HOMES = {
    "model.optimizer": ("torch.optim", "Optimizer"),
    "model.lr_scheduler": ("torch.optim.lr_scheduler", "LRScheduler"),
}
"""Settings that take a class of torch: its module, and its base class there."""

SCHEDULES = "wsed.training.schedules"
"""Schedules that torch does not have."""


def check_torch(value: object, path: str, *, importing: bool = True) -> None:
    """Refuse unknown classes of torch, and unknown settings of them; classes of other modules are not checked.

    Args:
        value: the class with its arguments.
        path: the setting, one of `HOMES`.
        importing: whether torch may be imported. If not, its source is read, and what it does not show is not refused.

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
    _check_name(last, path, importing)
    known = _settings(last, path, importing)
    for key, item in arguments.items() if isinstance(arguments, dict) else ():
        if known is not None and key not in known:
            raise WsedError(unknown(path, str(key), known))
        if key == "lr" and not isinstance(item, int | float):
            raise WsedError(f"{path}.lr is {item!r}, expected a number")


def _check_name(name: str, path: str, importing: bool) -> None:
    module, base = HOMES[path]
    if importing:
        classes = list(_classes(path))
        found = name in classes
    else:
        classes = [known for known in exported(module) if known[0].isupper() and known != base]
        found = not lacks(module, name)
    if found:
        return
    if path == "model.lr_scheduler" and name in classes_in(SCHEDULES):
        raise WsedError(f"{path}: {name} is a schedule of wsed; write class_path: {SCHEDULES}.{name}")
    same = [known for known in classes if known.lower() == name.lower()]
    kind = path.rpartition(".")[2]
    raise WsedError(f"{path}: unknown {kind} {name!r}{near(name, same or classes)}; write {EXAMPLES[path]}")


def _settings(name: str, path: str, importing: bool) -> list[str] | None:
    """The settings of a class; None if they are not known."""
    if importing:
        return list(inspect.signature(_classes(path)[name]).parameters)[1:]
    known = settings_in(HOMES[path][0], name)
    return None if known is None else known[1:]


@cache
def _classes(path: str) -> dict[str, type]:
    module, base = HOMES[path]
    members = vars(importlib.import_module(module))
    return {n: c for n, c in members.items() if isinstance(c, type) and issubclass(c, members[base]) and n != base}
