"""A synthetic soundbank with the ten classes of DESED, so that everything runs without a download.

The sounds are simple imitations made by `wsed.data.synth.formulas`. A small CRNN learns to tell the classes apart
within minutes of training on a CPU, so results on these sounds say nothing about real ones.
"""

import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsed.data import audio
from wsed.data.synth.formulas import CLASSES
from wsed.data.synth.signals import RATE, Rng, Signal, noise, swell, tone
from wsed.errors import WsedError
from wsed.files import remove_leftovers, write_folder

COUNTS = {"train": 24, "validation": 8, "eval": 8}
"""Recordings per class in each split."""

_N_BACKGROUNDS = {"train": 10, "validation": 4, "eval": 4}
_MARK = "builtin.txt"
_PEAK = 10 ** (-3 / 20)

Audio = NDArray[np.float32]


def write_soundbank(folder: str | Path, seed: int = 0) -> Path:
    """Write the soundbank as `folder/foreground/SPLIT/CLASS/*.flac` and `folder/background/SPLIT/*.flac`.

    If the folder already holds the soundbank of this seed, nothing is written. Returns the folder.

    Raises:
        WsedError: the folder holds something else.

    >>> write_soundbank("data/soundbank")  # doctest: +SKIP
    PosixPath('data/soundbank')
    """
    folder = Path(folder)
    mark = f"wsed builtin soundbank 1, seed {seed}\n"
    if (folder / _MARK).is_file() and (folder / _MARK).read_text("utf-8") == mark:
        return folder
    if folder.exists():
        raise WsedError(f"{folder} is not the builtin soundbank of seed {seed}; move it away or choose another folder")
    remove_leftovers(folder)
    with write_folder(folder) as part:
        for split, n in COUNTS.items():
            for label in CLASSES:
                _write_all(part / "foreground" / split / label, n, partial(recording, label, split, seed=seed))
            _write_all(part / "background" / split, _N_BACKGROUNDS[split], partial(background, split, seed=seed))
        (part / _MARK).write_text(mark, "utf-8")
    return folder


def recording(label: str, split: str, index: int, seed: int = 0) -> Audio:
    """One isolated sound of a class, `[sample]` at `RATE`, peak -3 dBFS; always the same for the same arguments.

    Raises:
        KeyError: `label` is not in `CLASSES`.

    >>> np.array_equal(recording("Cat", "train", 0), recording("Cat", "train", 0))
    True
    """
    rng = _generator(seed, split, label, index)
    return _scaled(CLASSES[label](rng))


def background(split: str, index: int, seed: int = 0) -> Audio:
    """A background of 12 s, `[sample]` at `RATE`: coloured noise with a slowly varying level, sometimes with a hum.

    >>> len(background("train", 0)) / RATE
    12.0
    """
    rng = _generator(seed, split, "background", index)
    n, slope = 12 * RATE, rng.uniform(-1.0, -0.4)
    room = noise(rng, n, lambda f: np.maximum(f, 60.0) ** slope)
    hum = tone(np.full(n, rng.choice([50.0, 60.0, 100.0])), rng.uniform(0, 1, 4))
    return _scaled(swell(rng, n, 0.3) * room + rng.uniform(0, 0.1) * hum)


def _generator(seed: int, split: str, label: str, index: int) -> Rng:
    return np.random.default_rng([seed, zlib.crc32(f"{split}/{label}".encode()), index])


def _write_all(folder: Path, n: int, make: Callable[[int], Audio]) -> None:
    folder.mkdir(parents=True)
    for index in range(n):
        audio.write(folder / f"{index:03d}.flac", make(index), RATE)


def _scaled(signal: Signal) -> Audio:
    scaled: Audio = (signal * (_PEAK / np.abs(signal).max())).astype(np.float32)
    return scaled
