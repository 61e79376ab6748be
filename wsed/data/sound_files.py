"""The search for sound files in folders, and for the file of each clip."""

import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import AnyStr

from wsed.data import audio as sound
from wsed.data.audio import SUFFIXES
from wsed.data.packed.contents import is_packed, packed_below, packed_print, packed_state
from wsed.errors import WsedError
from wsed.text import composed

BLOCK = 4096
"""Size in bytes of each block that is read for the fingerprint of a file."""


def walk(root: AnyStr) -> Iterator[tuple[AnyStr, list[AnyStr]]]:
    """Yield a folder and all folders below it with the names of their files, sorted; each folder once.

    Symbolic links are followed after all other folders. Hidden files and folders are left out. So are folders
    `*_events/`, in which Scaper keeps the single events of a soundscape. In the folder `corpus` of a pack, the packed
    sound files are found instead, in the order of the folder that was packed.
    """
    packed = _packed(root)
    if packed is not None:
        yield from packed.items()
        return
    dot, events = (".", "_events") if isinstance(root, str) else (b".", b"_events")
    folders, links, seen = [root], list[AnyStr](), set[tuple[int, int]]()
    while folders or links:
        where = folders.pop() if folders else links.pop(0)
        try:
            state = os.stat(where)  # noqa: PTH116 - as the walk itself, for bytes too
            inside = sorted(os.scandir(where), key=lambda entry: entry.name)
        except OSError:  # a link to itself, or a folder without permission
            continue
        if (state.st_dev, state.st_ino) in seen:
            continue
        seen.add((state.st_dev, state.st_ino))
        visible = [entry for entry in inside if not entry.name.startswith(dot)]
        below = [entry for entry in visible if _is_folder(entry) and not entry.name.endswith(events)]
        yield where, [entry.name for entry in visible if not _is_folder(entry)]
        folders += [entry.path for entry in reversed(below) if not entry.is_symlink()]
        links += [entry.path for entry in below if entry.is_symlink()]


def _packed(root: AnyStr) -> dict[AnyStr, list[AnyStr]] | None:
    found = packed_below(os.fsdecode(root))
    if isinstance(root, str) or found is None:
        return found
    return {os.fsencode(folder): [os.fsencode(name) for name in names] for folder, names in found.items()}


def _is_folder(entry: os.DirEntry[AnyStr]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_file(path: str | Path) -> bool:
    """Whether a file exists, or is packed; False for a name that is too long."""
    return os.path.isfile(path) or is_packed(path)  # noqa: PTH113 - Path.is_file raises an OSError for such names


def state(path: str | Path) -> tuple[int, int]:
    """The size of a sound file in bytes, and when it was changed, in ns; of a packed one, when it was packed."""
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        if (packed := packed_state(path)) is None:
            raise
        return packed
    return found.st_size, found.st_mtime_ns


def size(path: str | Path) -> int:
    """The size of a sound file in bytes; 0 if it cannot be found, as that of a dangling link.

    >>> size("none.wav")
    0
    """
    try:
        return state(path)[0]
    except OSError:
        return 0


def fingerprint(path: str | Path) -> str | None:
    """The size of a sound file and a checksum of its first, middle and last 4 KiB; None if it cannot be read.

    If only the packed file is there: the number of its samples and their checksum.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.wav").write_bytes(b"sound")
    ...     fingerprint(Path(folder, "a.wav")), fingerprint(Path(folder, "b.wav"))
    ('5 bytes, checksum 81a86ef2', None)
    """
    try:
        with Path(path).open("rb") as file:
            size, total = file.seek(0, os.SEEK_END), 0
            for start in (0, size // 2, size - BLOCK):
                file.seek(max(0, start))
                total = zlib.crc32(file.read(BLOCK), total)
    except OSError:
        return packed_print(path)
    return f"{size} bytes, checksum {total:08x}"


def is_folder(path: str | Path) -> bool:
    """Whether a folder exists, or is one of those that were packed."""
    return Path(path).is_dir() or bool(packed_below(str(path)))


def sound_files(folder: str | Path) -> list[Path]:
    """All sound files in a folder and below it, sorted; see `walk`."""
    return [
        Path(where, name) for where, names in walk(str(folder)) for name in names if name.lower().endswith(SUFFIXES)
    ]


def locate(folder: str | Path, names: Iterable[str]) -> dict[str, Path]:
    """Find the sound file of each clip: the same name, or the same stem with another suffix; the least nested file.

    Names are compared with composed letters, since macOS writes `é` as two characters and other systems as one.

    Args:
        folder: folder of the clips; subfolders are searched too.
        names: names of the clips in the label table.

    Raises:
        WsedError: two folders of the same depth hold a file for the same clip.
    """
    folder = Path(folder)
    by_stem: dict[str, list[Path]] = {}
    for file in sound_files(folder):
        by_stem.setdefault(composed(file.stem), []).append(file)
    return {name: _choose(folder, name, by_stem.get(composed(stem(name)), [])) for name in names}


def is_outside(folder: str | Path, name: str, corpus: str | Path) -> bool:
    """Whether the path `folder/name` of a clip lies outside the corpus; symbolic links are not resolved.

    >>> names = ("a.wav", "../b/a.wav", "../../../a.wav", "/a.wav")
    >>> [is_outside("corpus/audio/weak", name, "corpus") for name in names]
    [False, False, True, True]
    """
    if ".." not in name and not os.path.isabs(name):  # noqa: PTH117
        return False
    return not Path(os.path.abspath(Path(folder) / name)).is_relative_to(os.path.abspath(corpus))  # noqa: PTH100


def stem(name: str) -> str:
    """The file name without the suffix of a sound file; other suffixes stay.

    >>> stem("a/Y1_0.000_10.000.wav"), stem("Y1_0.000_10.000")
    ('Y1_0.000_10.000', 'Y1_0.000_10.000')
    """
    last = name.rpartition("/")[2]
    head, dot, suffix = last.rpartition(".")
    return head if dot + suffix.lower() in SUFFIXES else last


def _choose(folder: Path, name: str, candidates: Sequence[Path]) -> Path:
    above = tuple(map(composed, Path(name).parent.parts))
    if ".." in above or Path(name).is_absolute():
        return Path(os.path.normpath(folder / name))
    candidates = [c for c in candidates if not above or tuple(map(composed, c.parent.parts[-len(above) :])) == above]
    if not candidates:
        return folder / name
    depth = min(len(c.parts) for c in candidates)
    nearest = [c for c in candidates if len(c.parts) == depth]
    if len({c.parent for c in nearest}) > 1:
        raise WsedError(f"{name} is in {' and in '.join(str(c.parent) for c in nearest)}; move the wrong one away")
    last = composed(Path(name).name)
    return min(nearest, key=lambda c: (composed(c.name) != last, SUFFIXES.index(c.suffix.lower())))


def header(path: Path) -> float | str:
    """The duration of a sound file in seconds, or the reason why it cannot be read."""
    try:
        return sound.info(path).duration or f"{path} holds no samples"
    except WsedError as error:
        return str(error)
