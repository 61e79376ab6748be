"""Soundbanks: folders of isolated sounds and backgrounds, surveyed once (active stretches and levels)."""

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wsed.data import audio, table
from wsed.data.synth.recipe import SPLITS
from wsed.errors import WsedError

GAP = 0.25
"""Pauses shorter than this do not end an event (DESED's annotators), seconds."""

_FRAME = 0.02
_QUIET_DB = 20.0
_SILENT = 1e-12


class Stretch(NamedTuple):
    """One active stretch of a recording: onset and offset in seconds, level in dBFS RMS."""

    onset: float
    offset: float
    level: float


@dataclass(frozen=True)
class Recording:
    """One file of a soundbank.

    Attributes:
        path: relative to the soundbank.
        label: its class; `background` for backgrounds.
        origin: the recording it was cut from; files of one origin share its chance of being drawn.
        duration: seconds.
        level: of the whole file, dBFS RMS.
        stretches: where it sounds, in order, at least `GAP` apart; quiet ones (20 dB under the loudest) left out.
    """

    path: str
    label: str
    origin: str
    duration: float
    level: float
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True)
class Soundbank:
    """The recordings of a soundbank by split and class, and its backgrounds by split.

    Attributes:
        root: its folder.
        sounds: split -> class -> origins, each with its files.
        backgrounds: split -> files.
        identity: changes when a file's name or size or the manifest does; does not depend on where the folder lies.
    """

    root: Path
    sounds: Mapping[str, Mapping[str, tuple[tuple[Recording, ...], ...]]]
    backgrounds: Mapping[str, tuple[Recording, ...]]
    identity: str

    @property
    def labels(self) -> list[str]:
        """The classes, sorted."""
        return sorted({label for split in self.sounds.values() for label in split})


def open_soundbank(root: str | Path, splits: Iterable[str] = SPLITS, sample_rate: int = 16000) -> Soundbank:
    """Survey `ROOT/foreground/SPLIT/CLASS/*` and `ROOT/background/SPLIT/*` (and `ROOT/manifest.tsv` if there is one).

    Every file is decoded once, for its level; stretches come from the manifest's `segments` or from its energy.

    Raises:
        WsedError: a folder is missing or empty, a file unreadable or silent, or a recording is in two splits.
    """
    root = Path(root)
    if not (root / "foreground").is_dir():
        raise WsedError(f"{root} is no soundbank: expected foreground/SPLIT/CLASS/* and background/SPLIT/* in it")
    manifest = _manifest(root)
    files = {split: _files(root, split) for split in splits}
    _check_apart(manifest, root)
    with ThreadPoolExecutor() as pool:  # decoding releases the interpreter lock
        work = [path for _, paths in files.values() for path in paths]
        done = pool.map(lambda p: _survey(root, p, manifest.get(p.relative_to(root).as_posix(), {}), sample_rate), work)
        surveyed = dict(zip(work, done, strict=True))
    sounds, backgrounds = {}, {}
    for split, (labels, paths) in files.items():
        found = [surveyed[p] for p in paths]
        sounds[split] = {label: _by_origin(r for r in found if r.label == label) for label in labels}
        backgrounds[split] = tuple(r for r in found if r.label == "background")
    return Soundbank(root, sounds, backgrounds, _identity(root))


def active_stretches(sound: NDArray[np.float32], sample_rate: int) -> list[tuple[float, float]]:
    """Where a recording sounds: onsets and offsets in seconds, from the energy of 20 ms frames.

    Active is what lies less than 30 dB under the loud parts and clear of the recording's own noise; a recording
    whose level varies by less than 12 dB counts as active throughout. Pauses under `GAP` are closed.
    """
    size = max(1, round(_FRAME * sample_rate))
    n_frames = -(-len(sound) // size)
    padded = np.pad(sound, (0, n_frames * size - len(sound)))
    level = 10 * np.log10(np.square(padded).reshape(n_frames, size).mean(1) + _SILENT)
    loud, noise = np.percentile(level, 95), np.percentile(level, 5)
    if loud - noise < 12:
        return [(0.0, len(sound) / sample_rate)]
    active = level > max(loud - 30, noise + 6)
    edges = np.flatnonzero(np.diff(np.r_[False, active, False].astype(np.int8)))
    return close_gaps(
        (a * size / sample_rate, min(b * size, len(sound)) / sample_rate) for a, b in edges.reshape(-1, 2).tolist()
    )


def close_gaps(spans: Iterable[tuple[float, float]], gap: float = GAP) -> list[tuple[float, float]]:
    """Spans in order of onset, joined where they overlap or lie less than `gap` seconds apart."""
    closed: list[tuple[float, float]] = []
    for onset, offset in sorted(spans):
        if closed and onset - closed[-1][1] < gap:
            closed[-1] = (closed[-1][0], max(closed[-1][1], offset))
        else:
            closed.append((onset, offset))
    return closed


def power_db(sound: NDArray[np.float32]) -> float:
    """Mean power in dB relative to full scale (1.0)."""
    return float(10 * np.log10(np.square(sound).mean() + _SILENT))


def drop_short(
    sounds: Mapping[str, tuple[tuple[Recording, ...], ...]], shortest: float
) -> dict[str, tuple[tuple[Recording, ...], ...]]:
    """The sounds of a split without stretches under `shortest` seconds, and without recordings left with none."""
    kept = {}
    for label, origins in sounds.items():
        files = [
            [replace(r, stretches=tuple(s for s in r.stretches if s.offset - s.onset >= shortest)) for r in origin]
            for origin in origins
        ]
        heard = [tuple(r for r in origin if r.stretches) for origin in files]
        kept[label] = tuple(origin for origin in heard if origin)
    return kept


def _files(root: Path, split: str) -> tuple[list[str], list[Path]]:
    """The classes of a split, and its sound files: foregrounds first, then backgrounds."""
    folder, back = root / "foreground" / split, root / "background" / split
    if not folder.is_dir():
        raise WsedError(
            f"no folder {folder}: add the split {split!r} to the soundbank, or make no clips of it ({split}=0)"
        )
    labels = sorted(f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))
    if not labels:
        raise WsedError(f"{folder} has no class folders; expected {folder}/CLASS/*.wav or .flac")
    if odd := [label for label in labels if "," in label or "\t" in label or "\n" in label]:
        raise WsedError(f"{folder / odd[0]}: a label table cannot hold a class name with a comma; rename the folder")
    paths: list[Path] = []
    for label in labels:
        inside = _sound_files(folder / label)
        if not inside:
            raise WsedError(f"{folder / label} holds no sound files {audio.SUFFIXES}; fill the folder or remove it")
        paths += inside
    behind = _sound_files(back)
    if not behind:
        raise WsedError(f"no background for {split!r}: put sound files into {back}, or make no clips of it ({split}=0)")
    return labels, paths + behind


def _sound_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in audio.SUFFIXES and not f.name.startswith("."))


def _manifest(root: Path) -> dict[str, dict[str, str]]:
    path = root / "manifest.tsv"
    return {row["path"]: row for _, row in table.read_rows(path, ("path",))} if path.is_file() else {}


def _check_apart(manifest: Mapping[str, Mapping[str, str]], root: Path) -> None:
    seen: dict[str, tuple[str, str]] = {}
    for path, row in manifest.items():
        origin, split = row.get("recording_id", ""), (*path.split("/"), "", "")[1]
        if origin and split in SPLITS and seen.setdefault(origin, (split, path))[0] != split:
            raise WsedError(
                f"{root}/manifest.tsv: recording {origin!r} is in two splits ({seen[origin][1]} and {path}); move one"
            )


def _survey(root: Path, path: Path, row: Mapping[str, str], sample_rate: int) -> Recording:
    name = path.relative_to(root).as_posix()
    sound = audio.read(path, sample_rate)
    label = path.parent.name if name.startswith("foreground/") else "background"
    if power_db(sound) < -100:
        raise WsedError(f"{path} is silent; remove it")
    if label == "background":
        spans = [(0.0, len(sound) / sample_rate)]
    else:
        spans = _segments(row["segments"], name, root) if row.get("segments") else active_stretches(sound, sample_rate)
    stretches = []
    for onset, offset in close_gaps(spans):
        piece = sound[round(onset * sample_rate) : round(offset * sample_rate)]
        if len(piece):
            stretches.append(Stretch(onset, min(offset, len(sound) / sample_rate), power_db(piece)))
    loudest = max((s.level for s in stretches), default=0.0)
    kept = tuple(s for s in stretches if s.level > loudest - _QUIET_DB)
    return Recording(name, label, row.get("recording_id") or name, len(sound) / sample_rate, power_db(sound), kept)


def _segments(text: str, name: str, root: Path) -> list[tuple[float, float]]:
    expected = "expected 'onset-offset;...' in seconds"
    try:
        pairs = [part.split("-") for part in text.split(";") if part.strip()]
        return [(float(onset), float(offset)) for onset, offset in pairs]
    except ValueError:
        raise WsedError(f"{root}/manifest.tsv: segments of {name} are {text!r}, {expected}") from None


def _by_origin(recordings: Iterable[Recording]) -> tuple[tuple[Recording, ...], ...]:
    groups: dict[str, list[Recording]] = {}
    for recording in recordings:
        if recording.stretches:
            groups.setdefault(recording.origin, []).append(recording)
    return tuple(tuple(group) for group in groups.values())


def _identity(root: Path) -> str:
    """Of all splits, also those not used now: a split can be added to a corpus later."""
    digest = hashlib.sha256()
    for path in sorted(f for part in ("foreground", "background") for f in (root / part).rglob("*") if f.is_file()):
        digest.update(f"{path.relative_to(root).as_posix()}\t{path.stat().st_size}\n".encode())
    if (root / "manifest.tsv").is_file():
        digest.update((root / "manifest.tsv").read_bytes())
    return digest.hexdigest()[:16]
