"""Processes that end with the one that started them, and how they are started."""

import multiprocessing
import os
import threading


def end_with_parent(_worker: int = 0) -> None:
    """End this process when the one that started it is gone: one killed with SIGKILL cannot end its workers."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def start_method() -> str:
    """How reading processes are started: from a small server where the system has that, else anew (Windows)."""
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
