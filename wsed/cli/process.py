"""The process of a command: it imports modules without garbage collection, and ends without Python's clean-up."""

import atexit
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Import modules without garbage collection.

    Imported modules stay in memory, so the collector finds nothing to free. It takes a fifth of the time of importing
    torch, and later collections would search the same modules again: they are excluded from collection (`gc.freeze`).
    That is done only where torch is imported first. What a process has left from an earlier command, such as a
    network, must stay collectable.

    >>> with importing():
    ...     import json
    """
    collecting, had_torch = gc.isenabled(), "torch" in sys.modules
    gc.disable()
    try:
        yield
    finally:
        if not had_torch and "torch" in sys.modules:
            gc.freeze()
        if collecting:
            gc.enable()


class QuickEnd:
    """Ends the process after all other exit functions, without Python's clean-up of modules.

    With torch imported, the clean-up takes most of a second. By then, threads have ended, exit functions have closed
    their files, and output is flushed. A process that imported Lightning ends as usual, since loggers may hold data.
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
        except OSError:  # a closed pipe: Python's usual end reports it
            return
        os._exit(self.status)
