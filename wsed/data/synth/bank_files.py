"""The files of a soundbank: find them, read the manifest, and measure each recording."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wsed.data import audio, table
from wsed.data.synth.activity import Stretch, active_stretches, close_gaps, power_db
from wsed.data.synth.settings import SPLITS
from wsed.errors import WsedError
from wsed.text import composed

Manifest = Mapping[str, Mapping[str, str]]
"""Rows of `manifest.tsv` by their `path`."""

BACKGROUND = "background"
"""Label of the recordings that play behind events."""
_QUIET_DB = 20.0
_SILENT_DB = -100.0


@dataclass(frozen=True)
class Recording:
    """One sound file of a soundbank.

    Attributes:
        path: relative to the soundbank.
        label: class of the sound, or `BACKGROUND`.
        origin: id of the original recording. Files of one origin are drawn as often as a single file of another.
        duration: seconds.
        level: of the whole file, dBFS RMS.
        stretches: active stretches in order, at least `GAP` apart. Stretches more than 20 dB below the loudest are
            left out.

    >>> bark = Recording("foreground/train/Dog/1.wav", "Dog", "1", 2.0, -30.0, (Stretch(0.5, 0.8, -22.0),))
    >>> bark.stretches[0].onset
    0.5
    """

    path: str
    label: str
    origin: str
    duration: float
    level: float
    stretches: tuple[Stretch, ...]


def find_sounds(root: Path, split: str) -> tuple[list[str], list[Path]]:
    """Find the classes of a split and its sound files, first those of all classes, then the backgrounds.

    Raises:
        WsedError: a folder is missing or empty, or a class name cannot be written to a label table.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("foreground/train/Dog/1.wav", "background/train/rain.wav"):
    ...         (Path(folder) / name).parent.mkdir(parents=True)
    ...         (Path(folder) / name).touch()
    ...     labels, paths = find_sounds(Path(folder), "train")
    >>> labels, [path.name for path in paths]
    (['Dog'], ['1.wav', 'rain.wav'])
    """
    foreground, background = root / "foreground" / split, root / "background" / split
    if not foreground.is_dir():
        raise WsedError(f"no folder {foreground}: add the split {split!r} to the soundbank, or set {split}=0 clips")
    labels = sorted(f.name for f in foreground.iterdir() if f.is_dir() and not f.name.startswith("."))
    if not labels:
        raise WsedError(f"{foreground} has no class folders; expected {foreground}/CLASS/*.wav or .flac")
    if odd := [label for label in labels if "," in label or "\t" in label or "\n" in label]:
        raise WsedError(
            f"{foreground / odd[0]}: a label table cannot hold a class name with a comma, tab or line break; "
            "rename the folder"
        )
    if BACKGROUND in labels:
        raise WsedError(
            f"{foreground / BACKGROUND}: a class cannot be called {BACKGROUND}, as the sounds behind events are; "
            "rename the folder"
        )
    paths: list[Path] = []
    for label in labels:
        of_class = _sound_files(foreground / label)
        if not of_class:
            raise WsedError(f"{foreground / label} holds no sound files {audio.WRITTEN}; add some or remove the folder")
        paths += of_class
    backgrounds = _sound_files(background)
    if not backgrounds:
        raise WsedError(f"no background for {split!r}: put sound files into {background}, or set {split}=0 clips")
    return [composed(label) for label in labels], paths + backgrounds


def read_manifest(root: Path) -> Manifest:
    """Read `manifest.tsv`, which is optional.

    Raises:
        WsedError: the file cannot be read, or a recording has files in two splits.

    >>> read_manifest(Path("a soundbank without a manifest"))
    {}
    """
    path = root / "manifest.tsv"
    rows = {row["path"]: row for _, row in table.read_rows(path, ("path",))} if path.is_file() else {}
    first: dict[str, tuple[str, str]] = {}
    for name, row in rows.items():
        origin, split = row.get("recording_id", ""), (*name.split("/"), "", "")[1]
        if origin and split in SPLITS and first.setdefault(origin, (split, name))[0] != split:
            raise WsedError(f"{path}: recording {origin!r} is in two splits ({first[origin][1]} and {name}); move one")
    return rows


def measure(root: Path, path: Path, row: Mapping[str, str], sample_rate: int) -> Recording:
    """Decode one file and measure its level and active stretches.

    Args:
        root: folder of the soundbank.
        path: the sound file.
        row: its row in the manifest; empty if there is none.
        sample_rate: rate to decode at, Hz.

    Raises:
        WsedError: the file cannot be read or is silent, or its `segments` are malformed.

    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "foreground/train/Hum/1.wav"
    ...     path.parent.mkdir(parents=True)
    ...     audio.write(path, np.full(8000, 0.1), 8000)
    ...     hum = measure(Path(folder), path, {"segments": "0.25-0.75"}, 8000)
    >>> hum.label, hum.stretches[0].onset, round(hum.level)
    ('Hum', 0.25, -20)
    """
    name = path.relative_to(root).as_posix()
    sound = audio.read(path, sample_rate)
    duration, level = len(sound) / sample_rate, power_db(sound)
    if level < _SILENT_DB:
        raise WsedError(f"{path} is silent; remove it")
    if name.startswith("foreground/"):
        label = composed(path.parent.name)
        spans = _segments(row["segments"], name, root) if row.get("segments") else active_stretches(sound, sample_rate)
    else:
        label, spans = BACKGROUND, [(0.0, duration)]
    stretches = []
    for onset, offset in close_gaps(spans):
        piece = sound[round(onset * sample_rate) : round(offset * sample_rate)]
        if len(piece):
            stretches.append(Stretch(onset, min(offset, duration), power_db(piece)))
    loudest = max((s.level for s in stretches), default=0.0)
    loud = tuple(s for s in stretches if s.level > loudest - _QUIET_DB)
    return Recording(name, label, row.get("recording_id") or name, duration, level, loud)


def content_id(root: Path) -> str:
    """An id of a soundbank that changes with the names and sizes of its sound files and with its manifest.

    It covers all splits, also unused ones, since a split can be added to a corpus later.

    >>> content_id(Path("an empty soundbank"))
    'e3b0c44298fc1c14'
    """
    digest = hashlib.sha256()
    files = (path for part in ("foreground", BACKGROUND) for path in (root / part).rglob("*") if path.is_file())
    for path in sorted(filter(_is_sound, files)):
        digest.update(f"{path.relative_to(root).as_posix()}\t{path.stat().st_size}\n".encode())
    if (root / "manifest.tsv").is_file():
        digest.update((root / "manifest.tsv").read_bytes())
    return digest.hexdigest()[:16]


def _sound_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(filter(_is_sound, folder.iterdir()))


def _is_sound(path: Path) -> bool:
    """Whether a file is one of sound; file managers leave others, some of them hidden."""
    return path.suffix.lower() in audio.SUFFIXES and not path.name.startswith(".")


def _segments(text: str, name: str, root: Path) -> list[tuple[float, float]]:
    expected = "expected 'onset-offset;...' in seconds"
    try:
        pairs = [part.split("-") for part in text.split(";") if part.strip()]
        return [(float(onset), float(offset)) for onset, offset in pairs]
    except ValueError:
        raise WsedError(f"{root}/manifest.tsv: segments of {name} are {text!r}, {expected}") from None
