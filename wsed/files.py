"""Files that appear whole or not at all, and locks that keep processes apart."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # needed by few, so imported when a lock is taken
    from filelock import FileLock


@contextmanager
def write_whole(path: str | Path) -> Iterator[Path]:
    """Yield a temporary file beside `path`, with its suffix, that replaces `path` at the end of the block.

    The file has a name of its own, so several processes may write the same `path`; after an error it is removed and
    `path` stays as it was.

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
    finally:
        part.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all, in UTF-8 with the line ends that `text` has."""
    with write_whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


@contextmanager
def write_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty folder beside `path` that becomes `path` at the end of the block; removed after an error.

    Raises:
        OSError: `path` exists by then.
    """
    path = Path(path)
    part = _part(path)
    part.mkdir(parents=True)
    try:
        yield part
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def remove_leftovers(path: str | Path) -> None:
    """Remove the temporary files and folders of killed writers of `path`; nobody may be writing it meanwhile."""
    path = Path(path)
    for part in path.parent.glob(f".{escape(path.stem)}.*.part{escape(path.suffix)}"):
        shutil.rmtree(part) if part.is_dir() and not part.is_symlink() else part.unlink(missing_ok=True)


@contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """Let one process (or thread) at a time into the block; the lock of a process that dies is free.

    Args:
        path: the lock's own file, which is made where it is missing and stays.
    """
    with _lock(path):
        yield


def try_lock(path: str | Path) -> ExitStack | None:
    """A lock to be closed (or used in `with`), or None where another process has it."""
    from filelock import Timeout

    lock = _lock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    stack = ExitStack()
    stack.callback(lock.release)
    return stack


def _lock(path: str | Path) -> "FileLock":
    from filelock import FileLock

    return FileLock(path, thread_local=False)  # taken in one thread and released in another


def _part(path: Path) -> Path:
    return path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
