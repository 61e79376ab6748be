"""Another division of a soundbank: its recordings are dealt anew to training, validation and test."""

import csv
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsed.data import audio
from wsed.data.synth.bank_files import read_manifest
from wsed.data.synth.settings import SPLITS
from wsed.errors import WsedError

BACKGROUND = "background"
MOST_TRIES = 100
"""Divisions that are drawn, until one leaves no class without sounds in a split that had some."""


@dataclass(frozen=True)
class _File:
    """A file of a soundbank.

    Attributes:
        path: relative to the soundbank.
        kind: its class, or `background`.
        split: the split that it is in.
        group: files of one group stay together.
    """

    path: Path
    kind: str
    split: str
    group: str

    def within(self, split: str) -> Path:
        """Its path if it were in another split."""
        first, _, *rest = self.path.parts
        return Path(first, split, *rest)


def exchange(soundbank: str | Path, out: str | Path, seed: int) -> None:
    """Make a soundbank of links in which recordings are dealt anew to training, validation and test.

    Files of one group stay together: those with the same `group_id` in `manifest.tsv` (such as a recordist), else with
    the same `recording_id`. Each class has as many groups in each split as before.

    Args:
        soundbank: folder of the soundbank; it is not changed.
        out: folder of the new one, which appears when it is complete; nothing is done if it exists.
        seed: seed of the division.

    Raises:
        WsedError: the folder is no soundbank, or a class would have no sounds in a split.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for split, name in (("train", "1"), ("train", "2"), ("eval", "3")):
    ...         for part in (f"foreground/{split}/Dog", f"background/{split}"):
    ...             (Path(folder) / "bank" / part).mkdir(parents=True, exist_ok=True)
    ...             (Path(folder) / "bank" / part / f"{name}.wav").touch()
    ...     exchange(Path(folder, "bank"), Path(folder, "other"), seed=1)
    ...     sorted(path.name for path in Path(folder, "other/foreground").rglob("*.wav"))
    ['1.wav', '2.wav', '3.wav']
    """
    root, target = Path(soundbank), Path(out)
    if target.is_dir():
        return
    manifest = read_manifest(root)
    files = _files(root, manifest)
    split_of = _dealt(root, files, seed)
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    rows = []
    for file in files:
        split = split_of[file.group]
        path = file.within(split)
        if os.path.lexists(part / path):  # two splits had files of one name
            path = path.with_name(f"{file.split}_{path.name}")
        (part / path).parent.mkdir(parents=True, exist_ok=True)
        (part / path).symlink_to((root / file.path).resolve())
        rows.append({**manifest.get(file.path.as_posix(), {}), "path": path.as_posix(), "split": split})
    with (part / "manifest.tsv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, list(dict.fromkeys(name for row in rows for name in row)), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)
    part.rename(target)


def _files(root: Path, manifest: Mapping[str, Mapping[str, str]]) -> list[_File]:
    files = []
    for kind in ("foreground", "background"):
        for path in sorted((root / kind).rglob("*")):
            name = path.relative_to(root)
            if path.suffix.lower() in audio.SUFFIXES and path.is_file() and name.parts[1] in SPLITS:
                row = manifest.get(name.as_posix(), {})
                group = row.get("group_id") or row.get("recording_id") or name.as_posix()
                label = path.parent.name if kind == "foreground" else BACKGROUND
                files.append(_File(name, label, name.parts[1], group))
    if not files:
        raise WsedError(f"{root} is not a soundbank: expected foreground/SPLIT/CLASS/* and background/SPLIT/* in it")
    return files


def _dealt(root: Path, files: Sequence[_File], seed: int) -> dict[str, str]:
    """The new split of each group."""
    groups: dict[str, list[_File]] = {}
    for file in files:
        groups.setdefault(file.group, []).append(file)
    of_kind: dict[str, list[str]] = {}
    for name, members in sorted(groups.items()):
        of_kind.setdefault(_most([m.kind for m in members if m.kind != BACKGROUND] or [BACKGROUND]), []).append(name)
    had = {(file.kind, file.split) for file in files}
    rng = np.random.default_rng(seed)
    for _ in range(MOST_TRIES):
        split_of: dict[str, str] = {}
        for _, names in sorted(of_kind.items()):
            splits = [_most([file.split for file in groups[name]]) for name in names]
            split_of.update(zip(names, (splits[i] for i in rng.permutation(len(splits))), strict=True))
        lost = had - {(file.kind, split_of[file.group]) for file in files}
        if not lost:
            return split_of
    kind, split = min(lost)
    raise WsedError(f"{root}: {kind} has too few recordings to exchange them: none would be left in {split}")


def _most(names: Sequence[str]) -> str:
    """The most frequent name."""
    return min(Counter(names).items(), key=lambda item: (-item[1], item[0]))[0]
