"""What a user is told of errors and warnings that are not our own."""

import logging
import warnings
from argparse import ArgumentError
from collections.abc import Iterator

from lightning.fabric.utilities.exceptions import MisconfigurationException

from wsed.errors import WsedError

QUIET = (
    ".*does not have many workers.*",
    ".*number of training batches.*logging interval.*",
    ".*isinstance.treespec.*",
    ".*exists and is not empty.*",
    ".*No CUDA runtime.*",
    ".*Be aware that when using `ckpt_path`.*",
    ".*not supported by the model summary.*",
    "predict returned None.*",
    ".*recommended to use .*sync_dist=True.*",  # scores are computed from all ranks' clips on each rank
    ".*in eval mode at the start of training.*",  # frozen parts: a tagger, a teacher
    ".*lightning-hq.*",
    ".*args parameter is intended to run from within Python.*",
)
"""Warnings of Lightning that do not concern a user of wsed."""


def quiet() -> None:
    """Leave out what Lightning says to programmers."""
    for message in QUIET:
        warnings.filterwarnings("ignore", message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(
        lambda record: "litlogger" not in record.getMessage()
    )


def user_error(error: Exception) -> Exception:
    """The error that the user is told: our own if there is one in the chain, else the parser's without its dumps.

    >>> user_error(OSError("disk full"))
    WsedError('disk full')
    """
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, WsedError):
            return cause
    for cause in causes:
        if isinstance(cause, ModuleNotFoundError):
            return WsedError(str(cause))
    if isinstance(error, MisconfigurationException | OSError):
        return WsedError(str(error))
    if isinstance(error, RuntimeError) and "loading state_dict" in str(error):
        return WsedError(f"the checkpoint is of another network than the configuration builds: {str(error)[:600]}")
    return _of_parser(error) if isinstance(error, ArgumentError) else error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came of; each once, since one that was raised again may be its own cause."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _of_parser(error: ArgumentError) -> WsedError:
    lines = [line.split(" Got value:")[0].split(" Given value")[0].rstrip() for line in str(error).splitlines()]
    kept = list(dict.fromkeys(line for line in lines if line.strip() and not line.strip().startswith("Given value")))
    return WsedError("\n".join([*kept, "`wsed VERB --help` lists the settings"]))
