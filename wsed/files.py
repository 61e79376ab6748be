"""Atomic writes of files and folders, and locks between processes."""

import errno
import os
import secrets
import shutil
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from wsed.errors import WsedError

if TYPE_CHECKING:  # imported only when a lock is taken, so that `import wsed` stays quick
    from filelock import FileLock


NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""Error numbers: the disk is full or read-only, or the file is too large for it."""

NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})
"""Error numbers: the file system has no locks, or its server grants none."""

PATIENCE = 10.0
"""Seconds after which a process that waits for a lock says which process holds it."""


def no_room(error: BaseException) -> str | None:
    """The message for an error that a full or read-only disk caused; None for any other error.

    >>> no_room(OSError(errno.ENOSPC, "No space left on device", "runs/last.ckpt"))
    'cannot write runs/last.ckpt: No space left on device'
    """
    link: BaseException | None = error
    for _ in range(50):  # an error may be its own cause
        if isinstance(link, OSError) and link.errno in NO_ROOM:
            return f"cannot write{f' {link.filename}' if link.filename else ''}: {link.strerror}"
        link = None if link is None else link.__cause__ or link.__context__
    return None


@contextmanager
def write_whole(path: str | Path) -> Iterator[Path]:
    """Yield a temporary file beside `path`, with the same suffix; it replaces `path` at the end of the block.

    Each temporary file has its own name, so several processes may write the same `path`. After an error the temporary
    file is removed and `path` stays unchanged.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with write_whole(Path(folder) / "labels.txt") as part:
    ...         _ = part.write_text("Dog")
    ...     [path.name for path in Path(folder).iterdir()]
    ['labels.txt']
    """
    path = Path(path)
    part = _part(path)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # exclusive: no symbolic link is followed
    try:
        yield part
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically, in UTF-8, with the line ends of `text`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(Path(folder) / "labels.txt", "Dog")
    ...     (Path(folder) / "labels.txt").read_text()
    'Dog'
    """
    with write_whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


@contextmanager
def write_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; it is renamed to `path` at the end of the block.

    After an error the temporary folder is removed.

    Raises:
        OSError: `path` exists at the end of the block.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with write_folder(Path(folder) / "corpus") as part:
    ...         write_text(part / "labels.txt", "Dog")
    ...     (Path(folder) / "corpus/labels.txt").is_file()
    True
    """
    path = Path(path)
    part = _part(path)
    part.mkdir(parents=True)
    try:
        yield part
        part.rename(path)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def remove_leftovers(path: str | Path) -> None:
    """Remove temporary files and folders that killed processes left beside `path`.

    No process may be writing `path` during the call.
    """
    path = Path(path)
    for part in path.parent.glob(f".{escape(path.stem)}.*.part{escape(path.suffix)}"):
        shutil.rmtree(part) if part.is_dir() and not part.is_symlink() else part.unlink(missing_ok=True)


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Let one process or thread at a time into the block. The lock of a process that dies is released.

    A file system without `flock` cannot release it if the process was on another machine. After `PATIENCE` seconds, a
    process that waits there warns and names the file to delete.

    Args:
        path: file of the lock; it is created if it is missing and stays afterwards.

    Raises:
        WsedError: the file system can lock no files.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, locked(Path(folder) / "cache.lock"):
    ...     print("only this process is here")
    only this process is here
    """
    lock = _lock(path)
    if not _taken(lock, PATIENCE):
        if holder := lock_holder(path):
            warnings.warn(f"waiting for a lock{holder}", stacklevel=3)
        _taken(lock)
    try:
        yield
    finally:
        lock.release()


def try_lock(path: str | Path) -> ExitStack | None:
    """Take a lock without waiting; None if another process holds it. Release it with `close()` or use it in `with`.

    Raises:
        WsedError: the file system can lock no files.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, try_lock(Path(folder) / "cache.lock"):
    ...     print("locked")
    locked
    """
    lock = _lock(path)
    if not _taken(lock, 0):
        return None
    stack = ExitStack()
    stack.callback(lock.release)
    return stack


def lock_holder(path: str | Path) -> str:
    """The end of a message: which process holds a lock, and what to delete if it has ended; empty if it is not known.

    It is known only on a file system without `flock`. There, a lock stays if its process has ended on another machine.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_text(Path(folder) / "fit.lock", os.linesep.join(["812", "node7", ""]))
    ...     lock_holder(Path(folder) / "fit.lock").replace(folder, "run")
    '; process 812 on node7 holds run/fit.lock; if it has ended, delete this file'
    """
    try:
        number, machine, *_ = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except (OSError, ValueError):  # there is no such file, or it has fewer lines
        return ""
    return f"; process {number} on {machine} holds {path}; if it has ended, delete this file"


def _lock(path: str | Path) -> "FileLock":
    from filelock import FileLock

    return FileLock(path, thread_local=False)  # one thread may acquire it and another release it


def _taken(lock: "FileLock", seconds: float = -1) -> bool:
    """Whether a lock could be taken within some seconds; negative: wait without end."""
    from filelock import Timeout

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "flock not supported")  # filelock then writes who holds the lock
            lock.acquire(timeout=seconds)
    except Timeout:
        return False
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in NO_LOCKS:
            raise
        text = f"cannot lock {lock.lock_file}: its file system does not support locks; choose a folder on another one"
        raise WsedError(text) from None
    return True


def _part(path: Path) -> Path:
    return path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
