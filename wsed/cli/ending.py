"""`Ending`: signals that end the runs of `wsed reproduce`. The first one is kept, so that results can be written."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from wsed.cli.stopped import Stopped
from wsed.data.processes import ENDING, REQUEUE

GOES_ON = "the same command goes on"
"""How to go on after a signal."""


class Ending:
    """Handles Ctrl-C and the signals of schedulers: the first one during the runs is kept, others end the process.

    >>> with Ending() as ending, ending.keeping():
    ...     signal.raise_signal(signal.SIGINT)
    >>> ending.came(), str(ending.stopped("2 of 4 runs are missing"))
    (True, 'stopped; 2 of 4 runs are missing; the same command goes on')
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._keeping = False
        self._restoring = ExitStack()

    def __enter__(self) -> "Ending":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *ENDING):
                if signal.getsignal(number) == signal.SIG_IGN:  # as of Ctrl-C, by a shell that runs a job with `&`
                    continue
                self._restoring.callback(signal.signal, number, signal.signal(number, self._handle))
        return self

    def __exit__(self, *_: object) -> None:
        self._restoring.close()

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep the first signal that comes in this block, which must look at `came` now and then."""
        self._keeping = True
        try:
            yield
        finally:
            self._keeping = False

    def came(self) -> bool:
        """Whether a signal was kept."""
        return self.received is not None

    def stopped(self, text: str) -> Stopped:
        """The exception that ends the process after the kept signal; a SLURM job that is about to end is queued again.

        Args:
            text: what is done, and what is not.
        """
        assert self.received is not None
        return _stopped(self.received, text)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self._keeping and self.received is None:
            self.received = number
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            raise _stopped(self.received or number, "files that were written are kept")


def _stopped(number: int, text: str) -> Stopped:
    if signal.Signals(number).name not in REQUEUE:
        return Stopped(number, f"{text}; {GOES_ON}")
    from wsed.cli.signals import stop  # imports Lightning, which nothing else here needs

    return stop(number, text, GOES_ON)
