"""Checks of the arguments of a task that is made in Python."""

import warnings
from collections.abc import Mapping

from torch import nn

from wsed.errors import WsedError, near
from wsed.losses.base import Loss, Weighted
from wsed.types import Batch

MOVED = {"decoder": "decoder", "tuning": "tuning", "judge_embeddings": "embeddings", "resamples": "resamples"}
"""Arguments of the `SEDTask` of wsed 0.1, and the arguments of `Evaluation` that replace them."""

KNOWN = ("network", "losses", "optimizer", "lr_scheduler", "labels", "parts", "compile")


def warn_of_moved(arguments: Mapping[str, object]) -> None:
    """Warn that arguments of wsed 0.1 do nothing, and name those that replace them.

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


def check_batch(batch: object) -> None:
    """Refuse what a data loader yields if it is no batch.

    Raises:
        WsedError: it is something else; the message names it.

    >>> check_batch([])
    Traceback (most recent call last):
    wsed.errors.WsedError: the data loader yields list, expected wsed.Batch, as SEDDataModule yields
    """
    if not isinstance(batch, Batch):
        kind = type(batch).__name__
        raise WsedError(f"the data loader yields {kind}, expected wsed.Batch, as SEDDataModule yields")


def check_terms(losses: object) -> None:
    """Refuse losses that are not a mapping of names to weighted losses.

    Raises:
        WsedError: the losses have another form, and the message shows the right one; or a name cannot be used.

    >>> from wsed.losses.mil import MIL
    >>> check_terms({"tags": MIL()})
    Traceback (most recent call last):
    wsed.errors.WsedError: losses: 'tags' is a bare MIL; write {'tags': wsed.Weighted(MIL())}
    """
    if not isinstance(losses, Mapping):
        kind = type(losses).__name__
        raise WsedError(f"losses is {kind}, expected a mapping; write {{'tags': wsed.Weighted(MIL())}}")
    for name, term in losses.items():
        if not isinstance(name, str) or name == "" or "." in name or name in dir(nn.ModuleDict()):
            raise WsedError(
                f"losses: {name!r} cannot be the name of a loss: a name is text without dots, and not one that torch "
                "keeps for itself, such as 'type'; take another, such as 'tags'"
            )
        if isinstance(term, Loss):
            kind = type(term).__name__
            raise WsedError(f"losses: {name!r} is a bare {kind}; write {{{name!r}: wsed.Weighted({kind}())}}")
        if not isinstance(term, Weighted):
            raise WsedError(f"losses: {name!r} is {type(term).__name__}, expected wsed.Weighted(a loss, its weight)")
