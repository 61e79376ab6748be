"""The sound files of a folder, and the search for the file that a table names."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from wsed.data.audio import SUFFIXES
from wsed.data.packed.contents import refuse_pack
from wsed.data.sound_files import sound_files
from wsed.errors import WsedError
from wsed.text import composed

BACKGROUND = ("background", "backgrounds", "noise", "noises", "_background_noise_", "negative", "negatives")
"""Names of folders whose files have none of the classes."""


class SoundFiles:
    """All sound files in a folder and below it.

    Attributes:
        root: the folder.
        paths: the files, sorted.
        names: their paths below the folder.

    Raises:
        WsedError: there is no such folder, or no sound file in it.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise WsedError(f"no such folder: {root}; set data.corpus.root to the folder of the recordings")
        self.root = root
        self.paths = sound_files(root)
        if not self.paths:
            refuse_pack(root)
            raise WsedError(
                f"no sound file in {root} or below ({', '.join(SUFFIXES)}); set data.corpus.root to the folder of the "
                "recordings"
            )
        self.names = [composed(path.relative_to(root).as_posix()) for path in self.paths]
        self._by_stem: dict[str, list[int]] = {}
        for i, name in enumerate(self.names):
            self._by_stem.setdefault(stem(name), []).append(i)

    def __len__(self) -> int:
        return len(self.paths)

    def find(self, name: str, where: str) -> int | None:
        """The number of the file that a table names; None if the file is missing.

        A name may lack suffix and folders; if it has them, they must match those of the file.

        Args:
            name: the name as it is written.
            where: table and row, the beginning of an error message.

        Raises:
            WsedError: two files match the name.
        """
        name = composed(name.replace("\\", "/").removeprefix("./"))
        known = [i for i in self._by_stem.get(stem(name), ()) if _agree(folders(name), folders(self.names[i]))]
        if len(known) > 1:
            exact = [i for i in known if self.names[i] == name]
            same = [i for i in known if self.names[i].rpartition("/")[2] == name.rpartition("/")[2]]
            known = exact or (same if len(same) == 1 else known)
        if len(known) > 1:
            both = " and ".join(self.names[i] for i in known[:2])
            raise WsedError(f"{where}{name} may be {both} in {self.root}; write its folder and suffix, or rename one")
        return known[0] if known else None

    def belonging(self, label_file: Path) -> int | None:
        """The sound file of a label file: `a.txt`, `a.wav.txt` or `a.Table.1.selections.txt` belong to `a.wav`."""
        above = label_file.parent.name
        name = composed(label_file.name)
        while "." in name:
            name = name.rpartition(".")[0]
            known = self._by_stem.get(stem(name), [])
            if len(known) > 1:  # prefer the file in the same folder
                known = [i for i in known if folders(self.names[i])[-1:] == [above]] or known
            if len(known) > 1:
                both = " and ".join(self.names[i] for i in known[:2])
                raise WsedError(f"{label_file} may belong to {both} in {self.root}; put it beside its sound file")
            if known:
                return known[0]
        return None

    def background(self, names: Sequence[str]) -> Iterator[int]:
        """The files in folders of these names, at any depth."""
        wanted = {name.strip("/").casefold() for name in names}
        for i, name in enumerate(self.names):
            above = [part.casefold() for part in folders(name)]
            inside = {"/".join(above[: k + 1]) for k in range(len(above))}
            if wanted & (inside | set(above)):
                yield i


def stem(name: str) -> str:
    """The last part of a path without the suffix of a sound file."""
    last = name.rpartition("/")[2]
    head, dot, suffix = last.rpartition(".")
    return head if dot and f".{suffix.lower()}" in SUFFIXES else last


def folders(name: str) -> list[str]:
    """The folders of a path.

    >>> folders("birds/robin/a.wav")
    ['birds', 'robin']
    """
    return [part for part in name.split("/")[:-1] if part]


def _agree(one: Sequence[str], other: Sequence[str]) -> bool:
    both = min(len(one), len(other))
    return not both or list(one[-both:]) == list(other[-both:])
