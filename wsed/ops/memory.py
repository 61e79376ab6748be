"""Settings of the memory allocator of the C library."""

import ctypes
import sys

MMAP_MAX, TRIM_THRESHOLD = -4, -1  # names of glibc's malloc.h


def keep_freed_memory() -> bool:
    """Let this process reuse the memory it frees; returns whether that worked (glibc only).

    By default glibc asks the kernel for a new block for every array above 32 MB and returns it when it is freed. The
    kernel fills each block with zeros. Activations are that large, so this takes half the time of a training step on a
    CPU. With this setting the memory of the process stays at its peak.

    >>> keep_freed_memory() in (True, False)
    True
    """
    if not sys.platform.startswith("linux"):
        return False
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(set_option and set_option(MMAP_MAX, 0) and set_option(TRIM_THRESHOLD, -1))
