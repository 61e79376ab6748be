"""Sound files in folders: which file is which clip's, and which clips have one that can be read."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from wsed.data import audio as sound
from wsed.data import table as tsv
from wsed.data.clip import Clip
from wsed.errors import WsedError


def sound_files(folder: str | Path) -> list[Path]:
    """All sound files in a folder and below it, sorted; one listing per folder.

    Hidden files are left out, and `*_events/`, where Scaper keeps the single events of a soundscape.
    """
    found = []
    for where, below, files in os.walk(folder, followlinks=True):
        below[:] = sorted(d for d in below if not d.endswith("_events") and not d.startswith("."))
        found += [Path(where, f) for f in sorted(files) if f.lower().endswith(sound.SUFFIXES) and not f.startswith(".")]
    return found


def locate(folder: str | Path, names: Iterable[str]) -> dict[str, Path]:
    """The sound file of each clip name: same name, or same stem with another suffix; the least nested one.

    Args:
        folder: where the clips are; subfolders are searched too.
        names: as in the label table.

    Raises:
        WsedError: a name fits files in two folders of the same depth.
    """
    folder = Path(folder)
    by_stem: dict[str, list[Path]] = {}
    for file in sound_files(folder):
        by_stem.setdefault(file.stem, []).append(file)
    return {name: _choose(folder, name, by_stem.get(stem(name), [])) for name in names}


def stem(name: str) -> str:
    """`a/Y1_0.000_10.000.wav` -> `Y1_0.000_10.000`; only the suffix of a sound file is taken away."""
    last = name.rpartition("/")[2]
    head, dot, suffix = last.rpartition(".")
    return head if dot + suffix.lower() in sound.SUFFIXES else last


def _choose(folder: Path, name: str, candidates: Sequence[Path]) -> Path:
    above = Path(name).parent.parts
    candidates = [c for c in candidates if not above or c.parent.parts[-len(above) :] == above]
    if not candidates:
        return folder / name
    depth = min(len(c.parts) for c in candidates)
    nearest = [c for c in candidates if len(c.parts) == depth]
    if len({c.parent for c in nearest}) > 1:
        raise WsedError(f"{name} is in {' and in '.join(str(c.parent) for c in nearest)}; move the wrong one away")
    last = Path(name).name
    return min(nearest, key=lambda c: (c.name != last, sound.SUFFIXES.index(c.suffix.lower())))


def split_present(
    clips: Sequence[Clip], max_missing: float = 0.05, report: str | Path | None = None, workers: int = 8
) -> tuple[list[Clip], list[tuple[Clip, str]]]:
    """Clips whose sound file has a readable header, now with their `duration`, and the others with the reason.

    Args:
        clips: any clips; headers are read by several threads (15,000 in seconds), nothing is decoded.
        max_missing: greatest share of clips, 0 to 1, that may be left out.
        report: where to list the clips left out (`filename, source, path, reason`); written if there are any.
        workers: threads.

    Raises:
        WsedError: more than `max_missing` of the clips cannot be read.
    """
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(header, (clip.path for clip in clips)))
    present = [replace(clip, duration=d) for clip, d in zip(clips, found, strict=True) if isinstance(d, float)]
    missing = [(clip, reason) for clip, reason in zip(clips, found, strict=True) if isinstance(reason, str)]
    if missing and report is not None:
        rows = [(clip.id, clip.source, clip.path, reason) for clip, reason in missing]
        tsv.write_rows(report, ("filename", "source", "path", "reason"), rows)
    if len(missing) > max_missing * len(clips):
        raise WsedError(_too_many(missing, len(clips), max_missing, report))
    return present, missing


def header(path: Path) -> float | str:
    """Seconds of a sound file, or why it cannot be read."""
    try:
        return sound.info(path).duration or f"{path} holds no samples"
    except WsedError as error:
        return str(error)


def _too_many(missing: Sequence[tuple[Clip, str]], total: int, max_missing: float, report: str | Path | None) -> str:
    sources = ", ".join(sorted({clip.source for clip, _ in missing}))
    few = "; ".join(reason for _, reason in missing[:3]) + ("; ..." if len(missing) > 3 else "")
    listed = f" All are listed in {report}." if report is not None else ""
    return (
        f"{sources}: {len(missing)} of {total} clips ({len(missing) / total:.1%}) cannot be read, more than "
        f"max_missing={max_missing:g} allows: {few}.{listed} Download them again, or raise max_missing"
    )
