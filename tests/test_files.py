"""Whole files, and locks between processes."""

import errno
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from wsed import files
from wsed.errors import WsedError
from wsed.files import lock_holder, locked, remove_leftovers, try_lock, write_folder, write_text, write_whole


def test_a_file_appears_at_the_end_with_its_suffix_and_usual_permissions(tmp_path):
    path = tmp_path / "a.tsv"
    with write_whole(path) as part:
        assert part.suffix == ".tsv"
        assert part.parent == tmp_path
        part.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.tsv"]
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    write_text(path, "old\n")
    with pytest.raises(KeyboardInterrupt), write_whole(path) as part:
        _begin_and_fail(part, KeyboardInterrupt())
    assert path.read_bytes() == b"old\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def _begin_and_fail(part: Path, error: BaseException) -> None:
    part.write_text("ne")
    raise error


def test_no_symbolic_link_is_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("kept")
    monkeypatch.setattr("secrets.token_hex", lambda _: "0")
    (tmp_path / ".a.0.part.txt").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_text(tmp_path / "a.txt", "evil")
    assert victim.read_text() == "kept"


def test_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "a"
    with write_whole(path) as one, write_whole(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(ValueError), write_folder(tmp_path / "bank") as part:
        _begin_and_fail(part / "a", ValueError())
    assert not list(tmp_path.iterdir())
    with write_folder(tmp_path / "bank") as part:
        (part / "a").write_text("a")
    assert (tmp_path / "bank/a").read_text() == "a"
    with pytest.raises(OSError), write_folder(tmp_path / "bank") as part:
        (part / "b").write_text("b")
    assert [p.name for p in tmp_path.rglob("*")] == ["bank", "a"]


def test_leftovers_of_killed_writers_are_removed(tmp_path):
    path = tmp_path / "x[1].npy"
    for name in (".x[1].abc.part.npy", ".x[1].part.npy", "x[1].npy", ".x1.abc.part.npy", ".y.abc.part.npy"):
        (tmp_path / name).write_text("")
    (tmp_path / ".bank.abc.part").mkdir()
    remove_leftovers(path)
    remove_leftovers(tmp_path / "bank")
    kept = {".x[1].part.npy", "x[1].npy", ".x1.abc.part.npy", ".y.abc.part.npy"}
    assert {p.name for p in tmp_path.iterdir()} == kept


def test_one_process_at_a_time(tmp_path):
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_hold, args=(tmp_path,))
    process.start()
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    assert try_lock(tmp_path / "lock") is None
    process.kill()  # the lock of a process that dies is free
    with locked(tmp_path / "lock"):
        pass
    process.join()


def _hold(folder: Path) -> None:
    with locked(folder / "lock"):
        (folder / "held").touch()
        time.sleep(60)


def test_a_lock_may_be_released_by_another_thread(tmp_path):
    path = tmp_path / "lock"
    lock = try_lock(path)
    assert lock is not None
    assert try_lock(path) is None
    thread = threading.Thread(target=lock.close)
    thread.start()
    thread.join()
    again = try_lock(path)
    assert again is not None
    again.close()


unix = pytest.mark.skipif(sys.platform == "win32", reason="flock")

HOLD = """
import errno, fcntl, os, sys, time

def no_flock(*_):
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

fcntl.flock = no_flock
from wsed.files import locked

with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def refuse(monkeypatch):
    """Let `flock` fail with an error number, as on some network file systems."""

    def failing(number):
        def flock(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("fcntl.flock", flock)

    return failing


@unix
def test_without_flock_the_lock_of_a_killed_process_of_this_machine_is_taken_over(tmp_path, refuse):
    path = tmp_path / "fit.lock"
    refuse(errno.ENOSYS)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        assert try_lock(path) is None
        said = f"; process {process.pid} on {socket.gethostname()} holds {path}; if it has ended, delete this file"
        assert lock_holder(path) == said
        process.kill()
    lock = try_lock(path)
    assert lock is not None
    lock.close()


@unix
def test_without_flock_a_wait_for_another_machine_names_the_file_to_delete(tmp_path, refuse, monkeypatch):
    path = tmp_path / "fit.lock"
    path.write_text("812\nnode7\n")
    refuse(errno.ENOSYS)
    monkeypatch.setattr(files, "PATIENCE", 0.1)
    deleted = threading.Timer(0.5, path.unlink)
    deleted.start()
    said = "waiting for a lock; process 812 on node7 holds .*delete this file"
    with pytest.warns(UserWarning, match=said), locked(path):
        pass
    deleted.join()


@unix
@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_any_locks_is_told(tmp_path, refuse, number):
    refuse(number)
    with pytest.raises(WsedError, match="its file system does not support locks; choose a folder on another one"):
        try_lock(tmp_path / "fit.lock")
