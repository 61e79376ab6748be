"""The process of a command: imports without garbage collection, and an end without taking everything apart."""

import atexit
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Import modules without garbage collection.

    Imported modules stay, so the collector finds nothing in them. Its passes take a fifth of the time of an import of
    torch, and more if they go over the same modules again later.

    >>> with importing():
    ...     import json
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


class QuickEnd:
    """Ends the process after all other exit functions, before Python takes every module apart.

    With torch imported, that takes most of a second. Threads have ended, files of exit functions are closed, and output
    is flushed by then. A process that trained with Lightning ends as usual, as its loggers may still hold data.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        """Exit status of the command; None: it has not returned, so Python ends as usual."""
        atexit.register(self._end)  # the first that is registered runs last

    def _end(self) -> None:
        if self.status is None or "lightning" in sys.modules:
            return
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:  # a closed pipe: Python knows what to do
            return
        os._exit(self.status)
