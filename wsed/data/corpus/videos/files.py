"""Sound files that are named after a part of a YouTube video, and the search for the file of a clip.

The known names are `<id>`, `<id>_<begin>_<end>` in seconds and `<id>_<begin>` in milliseconds, as in the strong part of
AudioSet. A `Y` may precede the id, since many programs do not accept a name that begins with `-`.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped

from wsed.data import audio as sound
from wsed.data.ragged import Ragged
from wsed.data.sound_files import walk

NAME = re.compile(r"Y?([\w-]{11})(?:_(\d+)(?:(\.\d+)?_\d+(?:\.\d+)?)?)?")
KEY = 24
"""Greatest length, in bytes, of the key of a file: id and begin."""


class VideoFiles:
    """The sound files in a folder and its subfolders; hidden files are left out.

    Attributes:
        folder: the folder.
        paths: paths of all files, relative to the folder, as bytes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        paths, keys = [], []
        for path in _sound_files(folder):
            if key := _key(path):
                paths.append(path)
                keys.append(key)
        stored = np.array(keys, dtype=f"S{KEY}")
        order = np.argsort(stored, kind="stable")
        self._keys, self._order = stored[order], order
        self.paths = Ragged.texts(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def path(self, file: int) -> Path:
        """The path of a file by its number."""
        return self.folder / os.fsdecode(self.paths.text(file))

    def find(self, video: Shaped[np.ndarray, " clip"], begin: Float[np.ndarray, " clip"]) -> Int[np.ndarray, " clip"]:
        """The index of the file of each clip; -1 if there is no file.

        A file with id and begin belongs to the clip with this begin. A file with the id only belongs to all clips of
        the video. If several files fit, the first by path is used.

        Args:
            video: id of the video of each clip (`S11`).
            begin: begin of each clip in its video, in seconds.
        """
        begins = np.rint(1000 * begin).astype(np.int64).tolist()
        exact = self._look_up([b"%s_%d" % key for key in zip(video.tolist(), begins, strict=True)])
        return np.where(exact >= 0, exact, self._look_up(video))

    def _look_up(self, keys: "list[bytes] | np.ndarray") -> Int[np.ndarray, " clip"]:
        if not len(self):
            return np.full(len(keys), -1)
        wanted = np.asarray(keys, dtype=f"S{KEY}")
        place = np.searchsorted(self._keys, wanted).clip(max=len(self) - 1)
        return np.where(self._keys[place] == wanted, self._order[place], -1)


def _sound_files(folder: Path) -> Iterator[bytes]:
    """Paths below a folder, sorted within each folder."""
    root = os.fsencode(folder)
    suffixes = tuple(suffix.encode() for suffix in sound.SUFFIXES)
    for where, names in walk(root):
        inside = os.path.relpath(where, root)
        for name in names:
            if name.lower().endswith(suffixes):
                yield name if inside == b"." else os.path.join(inside, name)  # noqa: PTH118 - a Path takes 20 times as long


def _key(path: bytes) -> bytes:
    """Id and begin (milliseconds) of a clip, from the name of its file; less where the name has no more."""
    stem = os.fsdecode(path).rpartition(os.sep)[2].rpartition(".")[0]
    if not (match := NAME.fullmatch(stem)):
        return b""
    video, whole, rest = match.groups()
    if whole is None:
        return video.encode()
    seconds = stem.rfind("_") > stem.index(video) + len(video)
    return b"%s_%d" % (video.encode(), round(1000 * float(whole + (rest or ""))) if seconds else int(whole))
