"""How reading processes are started, and how they end with the process that started them."""

import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.context import BaseContext
from pathlib import Path

REQUEUE = ("SIGUSR1", "SIGUSR2")
"""Signals that schedulers send before the end of the time (`sbatch --signal`); a SLURM job is then queued again."""

ENDING = [signal.Signals[name] for name in ("SIGTERM", *REQUEUE) if name in signal.Signals.__members__]
"""Signals that end a training. Schedulers send them to all its processes; only the training itself may receive them."""

ORPHANS: set[int] = set()
"""Reading processes whose fork server was killed, so that this process no longer knows whether they run."""


def n_cores() -> int:
    """The number of cores that this process may use.

    >>> n_cores() > 0
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def end_with_parent(_worker: int = 0) -> None:
    """End this process when its parent ends: a parent killed by SIGKILL cannot end its workers itself."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def reading_context() -> BaseContext:
    """What starts reading processes: a fork server if the system has it, else `spawn` (Windows)."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from wsed.data.forkserver import ReadingContext

    return ReadingContext()


def unguarded_script() -> Path | None:
    """The running script, if each reading process would run it again; else None.

    A process that is not forked imports the script and so runs all code outside `if __name__ == "__main__":`.
    """
    main = sys.modules.get("__main__")
    file: str | None = vars(main).get("__file__")
    if file is None or not Path(file).is_file():
        return None  # a notebook, or `python -c`
    return None if b"__main__" in Path(file).read_bytes() else Path(file)
