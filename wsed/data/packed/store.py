"""Packs on an object store: a file is fetched once into a folder of the machine, and read from there."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from wsed.errors import WsedError
from wsed.files import locked, write_whole

T = TypeVar("T")

TRIES, PAUSE = 5, 1.0
"""How often a store is asked, and the seconds before it is asked again; they double each time."""

LIMIT = 30.0
"""Seconds without an answer of a web server after which it is asked again."""

BLOCK = 8 * 2**20


def is_remote(folder: str) -> bool:
    """Whether a folder is the address of a store.

    >>> is_remote("s3://sounds/pack"), is_remote("packed/desed")
    (True, False)
    """
    return "://" in folder


class Store:
    """The files of a folder that is on this machine or on a store that fsspec knows.

    Several processes share the files of the cache: the first one fetches a file, the others wait for it.

    Args:
        folder: a folder, or an address as `s3://bucket/pack` (`pip install s3fs`) or `gs://` (gcsfs).
        cache: folder of the files that are fetched; None: `~/.cache/wsed/packs`.

    >>> import tempfile
    >>> Store(tempfile.gettempdir()).fetch("pack.json") == Path(tempfile.gettempdir()) / "pack.json"
    True
    """

    def __init__(self, folder: str | Path, cache: Path | None = None) -> None:
        self.folder = str(folder)
        home = Path.home() / ".cache" / "wsed" / "packs" if cache is None else Path(cache)
        self.local = (
            home / "_".join(self.folder.split("://")[-1].split("/")) if is_remote(self.folder) else Path(folder)
        )

    def fetch(self, name: str) -> Path:
        """The path of a file on this machine; it is fetched if it is not there.

        Raises:
            WsedError: the store does not answer after several tries, or has no such file.
        """
        path = self.local / name
        if not is_remote(self.folder) or path.is_file():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_suffix(".lock")):
            if not path.is_file():
                address = f"{self.folder.rstrip('/')}/{name}"
                tried(lambda: _copy(address, path), address)
        return path

    def fetch_facts(self, name: str) -> None:
        """Fetch a small file anew, and see whether the fetched files are still of what the store holds.

        Raises:
            WsedError: the cache holds another file of this name; or as `fetch`.
        """
        if not is_remote(self.folder):
            return
        self.fetch(name)
        address = f"{self.folder.rstrip('/')}/{name}"
        if tried(lambda: _read(address), address) != (self.local / name).read_bytes():
            raise WsedError(f"{self.local} holds files of an earlier pack of {self.folder}: remove that folder")


def _read(address: str) -> bytes:
    import fsspec

    with fsspec.open(address, "rb", **_settings(address)) as source:
        content: bytes = source.read()
    return content


def _copy(address: str, path: Path) -> None:
    import fsspec

    opened = fsspec.open(address, "rb", **_settings(address))
    with opened as source, write_whole(path) as part, part.open("wb") as target:
        while block := source.read(BLOCK):
            target.write(block)


def _settings(address: str) -> dict[str, object]:
    """The settings of fsspec for an address. Web servers get a limit between two answers, not for a whole file."""
    if not _is_web(address):
        return {}
    from aiohttp import ClientTimeout

    return {"client_kwargs": {"timeout": ClientTimeout(total=None, sock_connect=LIMIT, sock_read=LIMIT)}}


def _is_web(address: str) -> bool:
    return address.startswith(("http://", "https://"))


def tried(ask: Callable[[], T], address: str) -> T:
    """Ask a store, again after each failure.

    Args:
        ask: the question.
        address: what is asked for, for messages.

    Raises:
        WsedError: the last failure; or the file is not there, which is not asked again.

    >>> tried(lambda: 3, "s3://sounds/pack.json")
    3
    """
    for count in range(TRIES):
        try:
            return ask()
        except (ImportError, ValueError) as error:  # no package for this kind of store, or no such kind
            raise WsedError(f"{address}: {error}") from None
        except Exception as error:  # each kind of store has its own
            cause: BaseException = error
            if isinstance(error, FileNotFoundError):
                if _is_gone(error, address):
                    text = f"{address} is not there: upload the whole folder that `wsed data pack` wrote"
                    raise WsedError(text) from None
                cause = error.__cause__ or error
            reason = f"{type(cause).__name__}{f': {cause}' if str(cause) else ''}"
            if count == TRIES - 1:
                raise WsedError(f"{address}: the store failed {TRIES} times, the last time with {reason}") from error
            time.sleep(PAUSE * 2**count)
    raise AssertionError


def _is_gone(error: FileNotFoundError, address: str) -> bool:
    """Whether a file is truly missing: of a web server, fsspec says so after any failure, with the failure as cause."""
    return not _is_web(address) or error.__cause__ is None or vars(error.__cause__).get("status") == 404
