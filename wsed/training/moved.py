"""Arguments of the task that had another place in wsed 0.1."""

import warnings
from collections.abc import Mapping

from wsed.errors import WsedError, near

MOVED = {"decoder": "decoder", "tuning": "tuning", "judge_embeddings": "embeddings", "resamples": "resamples"}
"""Their names, and those of the arguments of `Evaluation` in their place."""

KNOWN = ("network", "losses", "optimizer", "lr_scheduler", "labels")


def warn_of_moved(arguments: Mapping[str, object]) -> None:
    """Say where arguments of wsed 0.1 are now, and that they do nothing here.

    Raises:
        WsedError: an argument is unknown.
    """
    for name in arguments:
        if name not in MOVED:
            raise WsedError(f"SEDTask has no argument {name!r}{near(name, KNOWN)}; it has {', '.join(KNOWN)}")
        evaluation = f"wsed.training.evaluation.Evaluation({MOVED[name]}=...)"
        warnings.warn(
            f"SEDTask: {name} does nothing here since wsed 0.2; pass {evaluation} to the trainer's callbacks",
            FutureWarning,
            stacklevel=3,
        )
