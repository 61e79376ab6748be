"""Finds callbacks with a value that is not logged or with the wrong `mode`, before the first epoch."""

from collections.abc import Sequence
from typing import Literal

from lightning.pytorch import Callback
from lightning.pytorch.utilities import rank_zero_warn

from wsed.errors import WsedError, near
from wsed.metrics.base import METRICS

EMBEDDING = ("centre_accuracy", "scatter_ratio", "silhouette")
"""The values that the metric `embedding` logs."""


def check_monitors(callbacks: Sequence[Callback], losses: Sequence[str]) -> None:
    """Refuse callbacks that monitor unknown values, such as `val_loss`, or whose `mode` does not fit the value.

    A warning is printed if only the user's code may log the value.

    Args:
        callbacks: callbacks of the trainer.
        losses: names of the losses.

    Raises:
        WsedError: a callback monitors a value that is not logged, and the message has similar names; or its `mode` does
            not fit the value.
    """
    terms = ["loss", *(f"loss_{name}" for name in losses)]
    metrics = [f"val/{name}{end}" for name in METRICS.names() for end in ("", "_micro")]
    metrics += [f"val/{name}" for name in EMBEDDING]
    known = ["val/score", *(f"{stage}/{term}" for stage in ("val", "train") for term in terms), *metrics]
    for callback in callbacks:
        name: object = vars(callback).get("monitor")
        _check_mode(callback, name)
        own = type(callback).__module__.startswith("wsed.")  # these check it themselves
        if own or not isinstance(name, str) or name in known:
            continue
        text = f"trainer.callbacks: {type(callback).__name__} monitors {name!r}, which is not logged{near(name, known)}"
        if not name.startswith(("val/", "train/")):
            raise WsedError(f"{text}; logged are {', '.join(known[:8])}, ...")
        rank_zero_warn(f"{text}, unless by your own code")


def best(name: str) -> Literal["min", "max"] | None:
    """Whether the lowest (`min`: losses) or greatest (`max`: scores) value of a logged number is best.

    None if that is unknown, as for a metric that does not declare its `numbers`.

    >>> best("val/loss_tags"), best("val/score"), best("val/event_f1_micro"), best("val/mine")
    ('min', 'max', 'max', None)
    """
    stage, _, number = name.partition("/")
    if stage in ("train", "val") and (number == "loss" or number.startswith("loss_")):
        return "min"
    name = number if number in METRICS else number.removesuffix("_micro")
    is_score = name in METRICS and bool(METRICS[name].numbers) and METRICS[name].is_score("")
    return "max" if stage == "val" and (is_score or number in ("score", *EMBEDDING)) else None


def _check_mode(callback: Callback, monitor: object) -> None:
    if vars(callback).get("save_top_k") in (-1, 0):  # all checkpoints are kept, or none
        return
    mode, wanted = vars(callback).get("mode"), best(monitor) if isinstance(monitor, str) else None
    if mode in ("min", "max") and wanted is not None and mode != wanted:
        what = "a greater value is better" if wanted == "max" else "a lower value is better"
        raise WsedError(
            f"trainer.callbacks: {type(callback).__name__} monitors {monitor!r} with mode {mode!r}, but {what}: set "
            f"mode: {wanted}"
        )
