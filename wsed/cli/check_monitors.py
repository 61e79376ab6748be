"""Finds callbacks that monitor a value that the training does not log, before the first epoch."""

from collections.abc import Sequence

from lightning.pytorch import Callback
from lightning.pytorch.utilities import rank_zero_warn

from wsed.errors import WsedError, near
from wsed.metrics.base import METRICS

EMBEDDING = ("centre_accuracy", "scatter_ratio", "silhouette")
"""The values that the metric `embedding` logs."""


def check_monitors(callbacks: Sequence[Callback], losses: Sequence[str]) -> None:
    """Refuse callbacks that monitor unknown values, such as `val_loss`; warn if only the user's code may log them.

    Args:
        callbacks: callbacks of the trainer.
        losses: names of the losses.

    Raises:
        WsedError: a callback monitors a value that is not logged; the message has similar names.
    """
    terms = ["loss", *(f"loss_{name}" for name in losses)]
    metrics = [f"val/{name}{end}" for name in METRICS.names() for end in ("", "_micro")]
    metrics += [f"val/{name}" for name in EMBEDDING]
    known = ["val/score", *(f"{stage}/{term}" for stage in ("val", "train") for term in terms), *metrics]
    for callback in callbacks:
        name: object = vars(callback).get("monitor")
        own = type(callback).__module__.startswith("wsed.")  # these check it themselves
        if own or not isinstance(name, str) or name in known:
            continue
        text = f"trainer.callbacks: {type(callback).__name__} monitors {name!r}, which is not logged{near(name, known)}"
        if not name.startswith(("val/", "train/")):
            raise WsedError(f"{text}; logged are {', '.join(known[:8])}, ...")
        rank_zero_warn(f"{text}, unless by your own code")
