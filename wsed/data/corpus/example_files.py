"""Short sound files and tables for the examples of corpora, which the contract tests read."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from wsed.data import audio

RATE = 8000
"""Sample rate of the sound files, Hz."""


def write_tones(folder: Path, names: Iterable[str], seconds: float = 1.0) -> None:
    """Write a sound file per name into a folder, each with another tone."""
    folder.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(RATE * seconds)) / RATE
    for i, name in enumerate(names):
        audio.write(folder / name, 0.5 * np.sin(2 * np.pi * (200 + 100 * i) * time), RATE)


def write_rows(path: Path, rows: Iterable[Sequence[object]], between: str = "\t") -> None:
    """Write rows of values into a text file; its folder is made if it does not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{between.join(map(str, row))}\n" for row in rows), encoding="utf-8")
