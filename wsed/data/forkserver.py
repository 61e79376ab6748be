"""Reading processes that outlive the signals which end a training, so that it can save first."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing import forkserver, popen_forkserver, resource_tracker
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess

from wsed.data.processes import ENDING, ORPHANS
from wsed.errors import WsedError

NOT_STARTED = (
    "a process that reads clips has ended at its start: what it printed says why; if it printed nothing, most often "
    "the memory of the machine was full: lower data.workers (0: the training reads the clips itself)"
)

UNKNOWN = 255
"""Exit status of a process whose fork server was killed before it could report the true one."""


class Started(popen_forkserver.Popen):
    """A process that does not hear SIGTERM, by which torch and Python end processes that are still running."""

    def _launch(self, process_obj: BaseProcess) -> None:
        try:
            self._start(process_obj)
        except (ConnectionError, EOFError):
            self._fds: list[int] = []  # the first try filled it
            time.sleep(0.2)  # the connection to a killed server closes before `ensure_running` sees that it has ended
            try:
                self._start(process_obj)
            except (ConnectionError, EOFError) as error:
                raise WsedError(NOT_STARTED) from error

    def _start(self, process_obj: BaseProcess) -> None:
        with _blocked():
            forkserver.ensure_running()  # a server that was killed is started anew
        super()._launch(process_obj)

    def poll(self, flag: int = os.WNOHANG) -> int | None:
        """The exit status; None if the process still runs."""
        before, status = self.returncode, super().poll(flag)
        if before is None and status == UNKNOWN:
            ORPHANS.add(self.pid)
        return status

    def terminate(self) -> None:
        self.kill()


class ReadingProcess(ForkServerProcess):
    """A process of `ReadingContext`."""

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Started:  # noqa: N802
        return Started(process_obj)


class ReadingContext(ForkServerContext):
    """Starts processes that do not hear the signals in `ENDING`. They must end with their parent by themselves.

    The fork server inherits the signals that are blocked when it starts, and its processes inherit them from it.
    """

    Process = ReadingProcess

    def __init__(self) -> None:
        super().__init__()
        with _blocked():
            resource_tracker.ensure_running()
        with _blocked():  # anew, since starting a tracker lets SIGTERM through again
            forkserver.ensure_running()


@contextlib.contextmanager
def _blocked() -> Iterator[None]:
    """Block the signals in this thread, and so in the processes that it starts; those that come meanwhile wait."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
