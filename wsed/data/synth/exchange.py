"""Another division of a soundbank: its recordings are dealt anew to training, validation and test."""

import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wsed.data.synth.bank_files import BACKGROUND, content_id, find_sounds, read_manifest
from wsed.data.synth.settings import SPLITS
from wsed.data.table import write_rows
from wsed.errors import WsedError
from wsed.text import composed

MARK = "exchange.txt"
"""File in the new soundbank that says of which soundbank and seed it is."""
MOST_TRIES = 100
"""A division that leaves a class without sounds in a split is drawn again, at most this often."""


@dataclass(frozen=True)
class _File:
    """A file of a soundbank.

    Attributes:
        path: relative to the soundbank.
        kind: its class, or `background`.
        split: the split that it is in.
        row: its row in the manifest.
    """

    path: Path
    kind: str
    split: str
    row: Mapping[str, str] = field(hash=False)

    @property
    def ids(self) -> tuple[str, ...]:
        """What it shares with the other files of its group."""
        ids = tuple(f"{name} {self.row[name]}" for name in ("group_id", "recording_id") if self.row.get(name))
        return ids or (f"file {self.path.as_posix()}",)


def exchange(soundbank: str | Path, out: str | Path, seed: int) -> None:
    """Make a soundbank of links in which recordings are dealt anew to training, validation and test.

    Files with the same `group_id` (such as a recordist) or `recording_id` in `manifest.tsv` stay together. Each split
    has about as many groups of each class as before; the number of files may change more.

    Args:
        soundbank: folder of the soundbank; it is not changed.
        out: folder of the new one, which appears when it is complete. If it is there already, nothing is done.
        seed: seed of the division.

    Raises:
        WsedError: the folder is no soundbank, a class would have no sounds in a split, `out` is of another soundbank or
            seed, or links cannot be made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for split, name in (("train", "1"), ("train", "2"), ("eval", "3")):
    ...         for part in (f"foreground/{split}/Dog", f"background/{split}"):
    ...             (Path(folder) / "bank" / part).mkdir(parents=True, exist_ok=True)
    ...             (Path(folder) / "bank" / part / f"{name}.wav").touch()
    ...     exchange(Path(folder, "bank"), Path(folder, "other"), seed=1)
    ...     sorted(path.name[-5:] for path in Path(folder, "other/foreground").rglob("*.wav"))
    ['1.wav', '2.wav', '3.wav']
    """
    root, target = Path(soundbank), Path(out)
    files = _files(root)
    mark = f"soundbank {content_id(root)} in {root.resolve()}, seed {seed}\n"
    if target.is_dir():
        kept = (target / MARK).read_text(encoding="utf-8") if (target / MARK).is_file() else "other files\n"
        if kept != mark:
            raise WsedError(f"{target} has {kept.strip()}, not the {mark.strip()}: move it away")
        return
    split_of = _dealt(root, files, seed)
    part = target.with_name(f"{target.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        linked = [(file.row, _link(root, part, file, split_of[file]), split_of[file]) for file in files]
        rows = [{**row, "path": path, "split": split} for row, path, split in linked]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        write_rows(part / "manifest.tsv", columns, ([row.get(name, "") for name in columns] for row in rows))
        (part / MARK).write_text(mark, encoding="utf-8")
        part.rename(target)
    except OSError as error:
        raise WsedError(f"{target}: the soundbank of links cannot be made: {error.strerror or error}") from None


def share_of_tests(soundbank: str | Path) -> float:
    """Test groups of a soundbank for each training group, for `wsed.study.mixtures`.

    >>> share_of_tests(Path("none"))
    Traceback (most recent call last):
    wsed.errors.WsedError: none is not a soundbank: expected foreground/SPLIT/CLASS/* and background/SPLIT/* in it
    """
    splits = Counter(_most([file.split for file in group]) for group in _groups(_files(Path(soundbank))))
    return splits["eval"] / max(splits["train"], 1)


def _files(root: Path) -> list[_File]:
    if not (root / "foreground").is_dir():
        raise WsedError(f"{root} is not a soundbank: expected foreground/SPLIT/CLASS/* and background/SPLIT/* in it")
    manifest, files = read_manifest(root), []
    for split in SPLITS:
        if (root / "foreground" / split).is_dir():
            for path in find_sounds(root, split)[1]:
                name = path.relative_to(root)
                kind = path.parent.name if name.parts[0] == "foreground" else BACKGROUND
                files.append(_File(name, kind, split, manifest.get(composed(name.as_posix()), {})))
    return files


def _groups(files: Sequence[_File]) -> list[list[_File]]:
    """Files that share an id, directly or through other files."""
    group_of: dict[str, list[_File]] = {}
    for file in files:
        known = {id(group_of[name]): group_of[name] for name in file.ids if name in group_of}
        joined = [file, *(other for group in known.values() for other in group)]
        group_of.update((name, joined) for other in joined for name in other.ids)
    return list({id(group): group for group in group_of.values()}.values())


def _dealt(root: Path, files: Sequence[_File], seed: int) -> dict[_File, str]:
    """The new split of each file."""
    of_kind: dict[str, list[list[_File]]] = {}
    for group in sorted(_groups(files), key=lambda group: min(file.path for file in group)):
        sounds = [file.kind for file in group if file.kind != BACKGROUND]
        of_kind.setdefault(_most(sounds or [BACKGROUND]), []).append(group)
    had = {(file.kind, file.split) for file in files}
    rng = np.random.default_rng(seed)
    for _ in range(MOST_TRIES):
        split_of: dict[_File, str] = {}
        for _, groups in sorted(of_kind.items()):
            splits = [_most([file.split for file in group]) for group in groups]
            for group, i in zip(groups, rng.permutation(len(splits)), strict=True):
                split_of.update(dict.fromkeys(group, splits[i]))
        lost = had - {(file.kind, split) for file, split in split_of.items()}
        if not lost:
            return split_of
    kind, split = min(lost)
    raise WsedError(f"{root}: {kind} has too few recordings to exchange them: none would be left in {split}")


def _link(root: Path, part: Path, file: _File, split: str) -> str:
    """Link a file in another split, under a name that is free there; returns its path."""
    first, _, *within, name = file.path.parts
    count, free = 0, name
    while os.path.lexists(place := Path(part, first, split, *within, free)):
        count += 1
        free = f"{count}_{name}"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to((root / file.path).resolve())
    return composed(place.relative_to(part).as_posix())


def _most(names: Sequence[str]) -> str:
    """The most frequent name."""
    return min(Counter(names).items(), key=lambda item: (-item[1], item[0]))[0]
