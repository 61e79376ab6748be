"""The folder layout of DESED and DCASE: which table describes which sound files. No audio is decoded here.

    ROOT/metadata/train/weak.tsv              describes  ROOT/audio/train/weak/
    ROOT/metadata/validation/validation.tsv   describes  ROOT/audio/validation/validation/, or ROOT/audio/validation/
    ROOT/metadata/train/weak_durations.tsv    durations of the clips of train/weak (optional)

A table may also be a `.csv`, tab- or comma-separated, as in DCASE 2018; where both exist, the `.tsv` is taken.
ROOT may also be the folder above (`ROOT/dataset/metadata`, as in DCASE 2018 and 2019).
"""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from wsed.data import audio as sound
from wsed.data import table as tsv
from wsed.data.table import Clip, Timed
from wsed.errors import WsedError
from wsed.registry import near

DESED_LABELS = (
    "Alarm_bell_ringing",
    "Blender",
    "Cat",
    "Dishes",
    "Dog",
    "Electric_shaver_toothbrush",
    "Frying",
    "Running_water",
    "Speech",
    "Vacuum_cleaner",
)
"""The ten classes of DESED, in the order of its label files."""

TABLES = (".tsv", ".csv")
"""Suffixes of tables, the preferred one first."""


def base(root: str | Path) -> Path:
    """The folder that holds `metadata/` and `audio/`: `root` or `root/dataset`.

    Raises:
        WsedError: there is no such folder, or no `metadata/` in it.
    """
    root = Path(root)
    for folder in (root, root / "dataset"):
        if (folder / "metadata").is_dir():
            return folder
    if not root.is_dir():
        raise WsedError(f"no such folder: {root}")
    raise WsedError(f"{root} is no DESED folder: it has neither metadata/ nor dataset/metadata/; name the folder above")


def tables(root: str | Path) -> list[str]:
    """Names of all clip tables under `metadata/` (`train/weak`, ...), sorted.

    Left out are durations (`*_durations`), and `provenance`, in which `wsed data synth` tells how it made each clip.
    """
    metadata = base(root) / "metadata"
    paths = [path for path in metadata.rglob("*.?sv") if path.suffix in TABLES and path.name[0] != "."]
    names = {table_name(path.relative_to(metadata).as_posix()) for path in paths if path.stem != "provenance"}
    return sorted(name for name in names if not name.endswith("_durations"))


def table_name(table: str) -> str:
    """`train/weak.tsv` -> `train/weak`; only the suffix of a table is taken away."""
    head, dot, suffix = table.rpartition(".")
    return head if dot + suffix in TABLES else table


def table_file(root: str | Path, table: str) -> Path:
    """The file of a table, which need not be there.

    Args:
        root: the corpus.
        table: name below `metadata/`; without a suffix the `.tsv` if there is one, else the `.csv`.
    """
    path = base(root) / "metadata" / table
    if path.suffix in TABLES:
        return path
    choices = [path.with_name(path.name + suffix) for suffix in TABLES]
    return next((choice for choice in choices if choice.is_file()), choices[0])


def find(root: str | Path, table: str, audio: str | None = None) -> tuple[Path, Path]:
    """The table `metadata/TABLE.tsv` (or `.csv`) and the folder of its clips.

    Args:
        root: the corpus.
        table: name below `metadata/`, with or without its suffix: `train/weak`.
        audio: name of the folder below `audio/`; if None `audio/TABLE/`, or the folder above where there is none.

    Raises:
        WsedError: the table or the folder is not there.
    """
    folder = base(root)
    name, path = table_name(table), table_file(root, table)
    if not path.is_file():
        known = tables(root)
        raise WsedError(f"no such table: {path}{near(name, known)}; tables there: {', '.join(known) or 'none'}")
    parent = name.rpartition("/")[0]
    tried = [audio] if audio is not None else [name, parent] if parent else [name]
    for choice in tried:
        if (folder / "audio" / choice).is_dir():
            return path, folder / "audio" / choice
    places = " or ".join(str(folder / "audio" / choice) for choice in tried)
    raise WsedError(f"no audio folder for table {name}: expected {places}; give the folder that name")


def read_clips(
    root: str | Path, table: str = "train/weak", source: str = "weak", audio: str | None = None
) -> list[Clip]:
    """The clips of one table, in file order, with the sound file of each and what the table says of it.

    The header tells the kind of table: `event_labels` gives tags; `onset, offset, event_label` give events, and
    the tags that follow from them; `filename` alone gives unlabelled clips. A clip without a sound file gets the
    path where it should be (see `split_present`). Arguments and errors as in `find`, and those of `table.read_*`.
    """
    path, folder = find(root, table, audio)
    columns = tsv.read_columns(path)
    tags: dict[str, frozenset[str]] = tsv.read_weak(path) if "event_labels" in columns else {}
    events: dict[str, tuple[Timed, ...]] = tsv.read_strong(path) if "onset" in columns else {}
    for name, timed in events.items():
        tags[name] = tags.get(name, frozenset()) | {label for label, _, _ in timed}
    names = tsv.read_names(path)
    paths = locate(folder, names)
    return [Clip(name, paths[name], source, tags.get(name), events.get(name)) for name in names]


def durations(root: str | Path, table: str) -> dict[str, float]:
    """Seconds of each clip by `metadata/TABLE_durations.tsv` (or `.csv`); empty where there is no such file."""
    path = table_file(root, f"{table_name(table)}_durations")
    return tsv.read_durations(path) if path.is_file() else {}


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


def labels(root: str | Path) -> tuple[str, ...]:
    """The classes of `metadata/labels.txt`, one a line; empty where there is no such file."""
    listed = base(root) / "metadata" / "labels.txt"
    lines = tsv.read_text(listed).splitlines() if listed.is_file() else []
    names = tuple(line.strip() for line in lines if line.strip())
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise WsedError(f"{listed}: {twice!r} is listed twice; a class is named once, one a line")
    return names


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
