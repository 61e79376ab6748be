"""Reading processes do not run a user's script again, and end when the training does."""

import signal
import subprocess
import sys
from types import ModuleType

import pytest

from wsed.cli import signals
from wsed.data.processes import ENDING, unguarded_script


@pytest.mark.parametrize(
    ("text", "again"), [("import wsed\n", True), ('if __name__ == "__main__":\n    pass\n', False), (None, False)]
)
def test_a_script_that_would_run_again_is_found(tmp_path, monkeypatch, text, again):
    main = ModuleType("__main__")
    if text is not None:
        (tmp_path / "train.py").write_text(text)
        main.__file__ = str(tmp_path / "train.py")
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert (unguarded_script() is not None) == again


SIGNALLED = """
import os, signal
from wsed.data.processes import end_with_parent, reading_context

def answer(pipe):
    end_with_parent()
    while True:
        pipe.send(pipe.recv())

def started():
    ours, theirs = context.Pipe()
    process = context.Process(target=answer, args=(theirs,), daemon=True)
    process.start()
    return process, ours

if __name__ == "__main__":
    context = reading_context()
    (lasting, pipe), (ended, _) = started(), started()
    heard = []
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda number, _: heard.append(number))
        os.killpg(0, number)
    pipe.send("answers")
    print(pipe.recv(), len(heard))
    ended.terminate()
    ended.join()
    (later, pipe) = started()
    pipe.send("still starts others")
    print(pipe.recv(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_signals_to_all_processes_do_not_end_the_reading_ones_but_the_end_of_the_training_does(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(SIGNALLED)
    command = [sys.executable, "-W", "ignore", str(script)]
    # returns only when no process holds the pipes any more: the reading ones and their server have ended
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, start_new_session=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout.splitlines() == ["answers 3", "still starts others"]


MASK = """
import signal
from wsed.data.forkserver import _blocked
from wsed.data.processes import ENDING

before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
with _blocked():
    print(set(ENDING) == signal.pthread_sigmask(signal.SIG_BLOCK, ()) - before, *(number.name for number in ENDING))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_reading_processes_do_not_hear_the_signals_that_a_training_saves_at():
    done = subprocess.run([sys.executable, "-c", MASK], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["True", "SIGTERM", "SIGUSR1", "SIGUSR2"], done.stderr
    assert signals.ENDING is ENDING
