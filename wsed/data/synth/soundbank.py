"""Soundbanks: folders of isolated sounds and backgrounds, whose files are measured once when a soundbank is opened."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from wsed.data.synth.bank_files import BACKGROUND, Recording, content_id, find_sounds, measure, read_manifest
from wsed.data.synth.settings import SPLITS
from wsed.errors import WsedError
from wsed.text import composed

Origins = tuple[tuple[Recording, ...], ...]
"""Files of one class, grouped by the original recording."""


@dataclass(frozen=True)
class Soundbank:
    """The recordings of a soundbank.

    Attributes:
        root: folder of the soundbank.
        sounds: split -> class -> recordings by origin.
        backgrounds: split -> recordings.
        identity: an id that changes with the names and sizes of the files and with the manifest, but not with `root`.

    >>> Soundbank(Path("bank"), {"train": {"Dog": (), "Cat": ()}}, {"train": ()}, "0").labels
    ['Cat', 'Dog']
    """

    root: Path
    sounds: Mapping[str, Mapping[str, Origins]]
    backgrounds: Mapping[str, tuple[Recording, ...]]
    identity: str

    @property
    def labels(self) -> list[str]:
        """All classes, sorted."""
        return sorted({label for split in self.sounds.values() for label in split})


def open_soundbank(root: str | Path, splits: Iterable[str] = SPLITS, sample_rate: int = 16000) -> Soundbank:
    """Open `ROOT/foreground/SPLIT/CLASS/*` and `ROOT/background/SPLIT/*`, with `ROOT/manifest.tsv` if it exists.

    Every file is decoded once. Active stretches come from `segments` in the manifest, else from the energy of the file.

    Raises:
        WsedError: a folder is missing or empty, a file is unreadable or silent, or a recording is in two splits.

    >>> import tempfile, numpy as np
    >>> from wsed.data import audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("foreground/train/Hum/1.wav", "background/train/rain.wav"):
    ...         (Path(folder) / name).parent.mkdir(parents=True)
    ...         audio.write(Path(folder) / name, np.full(8000, 0.1), 8000)
    ...     bank = open_soundbank(folder, ["train"], sample_rate=8000)
    >>> bank.labels, bank.backgrounds["train"][0].duration
    (['Hum'], 1.0)
    """
    root = Path(root)
    if not (root / "foreground").is_dir():
        raise WsedError(f"{root} is not a soundbank: expected foreground/SPLIT/CLASS/* and background/SPLIT/* in it")
    manifest = read_manifest(root)
    files = {split: find_sounds(root, split) for split in splits}

    def measured(path: Path) -> Recording:
        return measure(root, path, manifest.get(composed(path.relative_to(root).as_posix()), {}), sample_rate)

    sounds, backgrounds = {}, {}
    with ThreadPoolExecutor() as pool:  # decoding releases the interpreter lock
        pending = {split: (labels, pool.map(measured, paths)) for split, (labels, paths) in files.items()}
        for split, (labels, results) in pending.items():
            recordings = list(results)
            sounds[split] = {label: _by_origin(r for r in recordings if r.label == label) for label in labels}
            backgrounds[split] = tuple(r for r in recordings if r.label == BACKGROUND)
    return Soundbank(root, sounds, backgrounds, content_id(root))


def drop_short(sounds: Mapping[str, Origins], shortest: float) -> dict[str, Origins]:
    """Remove the stretches shorter than `shortest` seconds, and the recordings that have no other stretches.

    >>> from wsed.data.synth.activity import Stretch
    >>> click = Recording("click.wav", "Click", "1", 1.0, -30.0, (Stretch(0.0, 0.05, -20.0),))
    >>> drop_short({"Click": ((click,),)}, shortest=0.1)
    {'Click': ()}
    """
    return {label: _drop_short(origins, shortest) for label, origins in sounds.items()}


def _drop_short(origins: Origins, shortest: float) -> Origins:
    files = [
        [replace(r, stretches=tuple(s for s in r.stretches if s.offset - s.onset >= shortest)) for r in origin]
        for origin in origins
    ]
    usable = [tuple(r for r in origin if r.stretches) for origin in files]
    return tuple(origin for origin in usable if origin)


def _by_origin(recordings: Iterable[Recording]) -> Origins:
    groups: dict[str, list[Recording]] = {}
    for recording in recordings:
        if recording.stretches:
            groups.setdefault(recording.origin, []).append(recording)
    return tuple(tuple(group) for group in groups.values())
