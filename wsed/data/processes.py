"""How reading processes are started, and how they end with the process that started them."""

import multiprocessing
import os
import threading


def end_with_parent(_worker: int = 0) -> None:
    """End this process when its parent ends: a parent killed by SIGKILL cannot end its workers itself."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def start_method() -> str:
    """The start method of reading processes: `forkserver` if the system has it, else `spawn` (Windows)."""
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
