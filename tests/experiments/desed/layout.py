"""DESED as the tasks of 2021 and 2023 lay it out: label tables of clips, and a few short sounds for all of them."""

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import soundfile

SOUNDS = 8
EVENTS = ("filename", "onset", "offset", "event_label")
Rows = Sequence[Sequence[object]]

REAL = {"weak": "train/weak", "unlabelled": "train/unlabel_in_domain", "validation": "validation/validation"}
SYNTHETIC = {
    "synthetic": "train/synthetic21_train/soundscapes",
    "synthetic_validation": "validation/synthetic21_validation/soundscapes",
}


def lay_out(root: Path, tables: Mapping[str, Rows], year: int, seconds: float, rate: int = 16000) -> Path:
    """Write the tables, each with its header, and a link to one of some sound files for each clip.

    Args:
        root: of the corpus; in 2023, the synthetic clips lie in `dcase_synth` below it.
        tables: by the names in `REAL` and `SYNTHETIC`.
        year: of the layout, 2021 or 2023.
        seconds: length of all clips.
        rate: Hz.
    """
    root.mkdir(parents=True)
    sounds = [root / f"sound_{i}.wav" for i in range(SOUNDS)]
    for i, sound in enumerate(sounds):
        soundfile.write(sound, 0.1 * np.random.default_rng(i).standard_normal(round(seconds * rate)), rate)
    for name, rows in tables.items():
        below = root / "dcase_synth" if year == 2023 and name in SYNTHETIC else root
        place = (REAL | SYNTHETIC)[name]
        table = below / "metadata" / f"{place}.tsv"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
        link_all(sounds, below / "audio" / place, dict.fromkeys(str(row[0]) for row in rows[1:]))
    return root


def link_all(sounds: Sequence[Path], folder: Path, names: Iterable[str]) -> None:
    folder.mkdir(parents=True)
    for name, sound in zip(names, cycle(sounds)):
        os.link(sound, folder / name)


def small(clips: int = 8) -> dict[str, Rows]:
    """Tables of a few clips of 1 s with two classes."""
    labels = [("Dog", "Cat")[i % 2] for i in range(clips)]
    events = {
        name: [EVENTS, *((f"{name}_{i}.wav", 0.2, 0.7, label) for i, label in enumerate(labels))]
        for name in ("validation", *SYNTHETIC)
    }
    weak = [("filename", "event_labels"), *((f"weak_{i}.wav", label) for i, label in enumerate(labels))]
    return {**events, "weak": weak, "unlabelled": [("filename",), *((f"other_{i}.wav",) for i in range(clips))]}
