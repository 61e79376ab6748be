"""Signals that come before the processes of a training have met; each program here is a process of its own."""

import subprocess
import sys

import pytest

HEAD = """
import os, signal, time
from wsed.cli import signals
signals.GRACE = 0.2
"""

FORK = """
with signals.Signals() as heard:
    heard.meeting = True
    child = os.fork()
    if not child:
        try:
            time.sleep(20)
        finally:
            os._exit(0)
    time.sleep(0.3)
    os.kill(child, signal.SIGUSR1)
    os.waitpid(child, 0)
    time.sleep(1)
print("went on")
"""

OTHER_LIBRARY = """
before = signal.getsignal(signal.SIGTERM)
try:
    with signals.Signals() as heard:
        signal.set_wakeup_fd(-1)
        raise ValueError("the real error")
except ValueError as error:
    print(error, signal.getsignal(signal.SIGTERM) == before)
"""

OTHER_FIRST = """
read, write = os.pipe()
os.set_blocking(write, False)
signal.set_wakeup_fd(write)
with signals.Signals():
    signal.signal(signal.SIGUSR1, lambda *_: None)
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(0.1)
print(os.read(read, 1) == bytes([signal.SIGUSR1]), signal.set_wakeup_fd(-1) == write)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize(
    ("program", "said"), [(FORK, "went on"), (OTHER_LIBRARY, "the real error True"), (OTHER_FIRST, "True True")]
)
def test_other_processes_and_libraries_are_left_alone(program, said):
    command = [sys.executable, "-W", "ignore", "-c", HEAD + program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == said
