"""Freed memory stays with the process."""

import os
import subprocess
import sys

import pytest

CODE = """
import resource, sys
import numpy as np
from wsed.ops.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(64 << 20, dtype=np.uint8).sum()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


# 64 MB are 16,384 small pages or, where the kernel gives huge ones, 32: each counts as one fault.
FEWEST_PAGES = 32


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
@pytest.mark.parametrize("huge", ["0", "1"])
def test_a_second_array_of_the_size_needs_no_new_pages(huge):
    environment = os.environ | {"NUMPY_MADVISE_HUGEPAGE": huge}
    kept, given_back = (
        int(
            subprocess.run(
                [sys.executable, "-c", CODE, how], env=environment, capture_output=True, text=True, check=True
            ).stdout
        )
        for how in ("keep", "default")
    )
    assert kept < FEWEST_PAGES / 2 < FEWEST_PAGES <= given_back
