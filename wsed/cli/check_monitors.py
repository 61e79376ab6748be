"""Finds callbacks that watch a value which a training does not log, before the first epoch."""

from collections.abc import Sequence

from lightning.pytorch import Callback
from lightning.pytorch.utilities import rank_zero_warn

from wsed.errors import WsedError, near
from wsed.metrics.base import METRICS

EMBEDDING = ("centre_accuracy", "scatter_ratio", "silhouette")
"""What the metric `embedding` logs."""


def check_monitors(callbacks: Sequence[Callback], losses: Sequence[str]) -> None:
    """Refuse `monitor: val_loss` where `val/loss` is meant; warn of names that only a user's own code may log.

    Args:
        callbacks: of the trainer.
        losses: names of the terms of the objective.

    Raises:
        WsedError: a callback watches what is not logged; names near ones.
    """
    terms = ["loss", *(f"loss_{name}" for name in losses)]
    metrics = [f"val/{name}{end}" for name in METRICS.names() for end in ("", "_micro")]
    metrics += [f"val/{name}" for name in EMBEDDING]
    known = ["val/score", *(f"{stage}/{term}" for stage in ("val", "train") for term in terms), *metrics]
    for callback in callbacks:
        name: object = vars(callback).get("monitor")
        own = type(callback).__module__.startswith("wsed.")  # these check for themselves
        if own or not isinstance(name, str) or name in known:
            continue
        text = f"trainer.callbacks: {type(callback).__name__} monitors {name!r}, which is not logged{near(name, known)}"
        if not name.startswith(("val/", "train/")):
            raise WsedError(f"{text}; logged are {', '.join(known[:8])}, ...")
        rank_zero_warn(f"{text}, unless by your own code")
