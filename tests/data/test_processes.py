"""Reading processes do not run a user's script again, and end when the training does."""

import signal
import subprocess
import sys
from types import ModuleType

import pytest

from wsed.cli import messages, signals
from wsed.cli.messages import user_error
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
from wsed.data.processes import ORPHANS, end_with_parent, reading_context

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


START = """
import os, signal, threading
from multiprocessing import forkserver
from wsed.data.processes import ORPHANS, end_with_parent, reading_context
from wsed.errors import WsedError

class Dies:
    def __reduce__(self):
        return os._exit, (1,)

def answer(pipe, *_):
    end_with_parent()
    pipe.send(pipe.recv())
    pipe.recv()

def started(*more):
    ours, theirs = context.Pipe()
    process = context.Process(target=answer, args=(theirs, *more), daemon=True)
    process.start()
    return process, ours

def refused(*more):
    try:
        started(*more)
    except WsedError as error:
        print(error)
"""

DIES = """
if __name__ == "__main__":
    context = reading_context()
    refused(Dies(), bytes(10_000_000))
"""

SERVER_DIES = """
if __name__ == "__main__":
    context = reading_context()
    server = forkserver._forkserver._forkserver_pid
    os.kill(server, signal.SIGSTOP)  # so that it dies while it is asked for a process
    threading.Timer(0.5, os.kill, (server, signal.SIGKILL)).start()
    _, pipe = started()
    pipe.send("started by the next server")
    print(pipe.recv())
"""

KILLED = """
if __name__ == "__main__":
    context = reading_context()
    process, pipe = started()
    pipe.send("hears")
    print(pipe.recv())
    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)
    process.join()
    print(ORPHANS == {process.pid})
    _, pipe = started()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    pipe.send("the next one does not hear SIGTERM")
    print(pipe.recv())
"""


def printed(program, folder):
    """The lines that a script prints."""
    (folder / "train.py").write_text(START + program)
    command = [sys.executable, "-W", "ignore", str(folder / "train.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, start_new_session=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork server")
def test_a_reading_process_that_ends_at_its_start_is_told_in_one_line(tmp_path):
    (said,) = printed(DIES, tmp_path)
    assert said.startswith("a process that reads clips has ended at its start: what it printed says why")
    assert "lower data.workers" in said


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork server")
def test_a_fork_server_that_was_killed_is_told_and_started_anew(tmp_path):
    assert printed(KILLED, tmp_path) == ["hears", "True", "the next one does not hear SIGTERM"]
    assert printed(SERVER_DIES, tmp_path) == ["started by the next server"]


def test_the_message_about_a_reading_process_that_is_gone_names_the_fork_server_if_that_was_killed(monkeypatch):
    error = RuntimeError("DataLoader worker (pid(s) 3) exited unexpectedly")
    assert str(user_error(error)).startswith("a process that reads clips has died")
    monkeypatch.setattr(messages, "ORPHANS", {3})
    assert str(user_error(error)).startswith("the process that starts the processes that read clips was killed")
