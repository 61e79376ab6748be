"""How the C library hands out memory."""

import ctypes
import sys

MMAP_MAX, TRIM_THRESHOLD = -4, -1  # names of glibc's malloc.h


def keep_freed_memory() -> bool:
    """Let this process keep the memory it frees, for its next arrays; whether that could be arranged (glibc only).

    By default glibc asks the kernel for every array above 32 MB and gives it back when it is freed, and the kernel
    fills each with zeros: half the time of a training step on a processor, whose activations are that large. The
    process holds on to its peak instead.
    """
    if not sys.platform.startswith("linux"):
        return False
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(set_option and set_option(MMAP_MAX, 0) and set_option(TRIM_THRESHOLD, -1))
