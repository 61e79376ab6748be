"""Pack the sound files of a folder: decode and resample each once, and store the samples as int16."""

import json
import multiprocessing
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np

from wsed.data import audio
from wsed.data.packed.contents import CONTENTS, CORPUS, MARK, Contents, copy_labels
from wsed.data.packed.index import FACTS, FULL, INDEX, Facts, Index, checksum, open_shard, shard_path
from wsed.data.processes import end_with_parent
from wsed.data.sound_files import fingerprint, header, sound_files, state
from wsed.errors import WsedError
from wsed.files import locked, remove_leftovers, write_text, write_whole
from wsed.text import read_json_object

SHARD_MB = 256
PLAN = "plan.txt"

PRINTS = 256
"""Approximate number of files with a fingerprint in the pack."""


@dataclass(frozen=True)
class PackResult:
    """The samples of one shard, and what happened to its files.

    Attributes:
        index: where the samples of each file are.
        rounded: number of files whose samples had to be rounded to multiples of 1/32768, as after resampling.
        clipped: number of files with samples outside [-1, 1), which were clipped.
        refused: the reasons why files are left out, one per file.
    """

    index: Index
    rounded: int = 0
    clipped: int = 0
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Notes:
    """The notes that are written beside a finished shard; see `PackResult`."""

    plan: str
    bytes: int
    rounded: int
    clipped: int
    refused: list[str]


def pack(
    source: str | Path,
    out: str | Path,
    sample_rate: int,
    *,
    shard_mb: float = SHARD_MB,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PackResult:
    """Pack all sound files in a folder and below it, and copy its text files. Packing that was stopped is continued.

    The samples are those that the reader `files` reads at this rate, rounded to 16 bits: exactly the same for 16-bit
    mono files of this rate.

    Args:
        source: folder of the sound files.
        out: folder of the pack.
        sample_rate: sample rate of the samples, Hz: that of the networks that will be trained.
        shard_mb: size of a shard in MB.
        workers: number of processes; None: one per core.
        overwrite: whether a pack of other files, or one of an earlier version, is replaced.
        progress: called with the number of finished shards and the number of all shards.

    Raises:
        WsedError: there are no sound files, the disk has no room, or `out` holds a pack of other files, or has another
            folder `corpus`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as sounds, tempfile.TemporaryDirectory() as out:
    ...     audio.write(Path(sounds) / "a.wav", np.zeros(8000, dtype=np.float32), sample_rate=8000)
    ...     pack(sounds, out, sample_rate=8000).index.n_samples
    array([8000])
    """
    source, out = Path(source), Path(out)
    if source.resolve().is_relative_to((out / CORPUS).resolve()):
        raise WsedError(f"{source} has the packed sounds of {out} itself; give another folder for the pack")
    files = sound_files(source)
    if not files:
        raise WsedError(f"no sound file in {source} or below ({', '.join(audio.SUFFIXES)})")
    names = [path.relative_to(source).as_posix() for path in files]
    plan, prints = _plan(files, names, sample_rate, shard_mb), _prints(source, names)
    out.mkdir(parents=True, exist_ok=True)
    with locked(out / ".lock"):
        prints = _prepare(out, plan, prints, overwrite)
        inside = out.resolve().is_relative_to(source.resolve())  # a corpus there would find its labels twice
        labels = {} if inside else copy_labels(source, out, audio.SUFFIXES)
        shards = _shards(files, sample_rate, shard_mb, out)
        jobs = [(i, [names[n] for n in shard]) for i, shard in enumerate(shards)]
        done: list[PackResult] = []
        for packed in _run(partial(_write_shard, source, out, plan, sample_rate), jobs, workers):
            done.append(packed)
            if progress is not None:
                progress(len(done), len(jobs))
        index = Index.join([packed.index for packed in done])
        index.write(out / INDEX)
        sounds = [name for name, row in zip(names, index.find(names), strict=True) if row >= 0]
        Contents(sounds, labels).write(out)
        Facts(sample_rate, str(source.resolve()), plan, len(index), prints=prints).write(out)
    refused = tuple(reason for packed in done for reason in packed.refused)
    return PackResult(index, sum(p.rounded for p in done), sum(p.clipped for p in done), refused)


def damaged(out: str | Path, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """The files of a pack that are not as they were packed: shards, the list of sounds, copied labels.

    Raises:
        WsedError: the folder holds no pack, or the list of sounds cannot be read.
    """
    out = Path(out)
    Facts.read(out)
    contents = Contents.read(out)
    index = Index.read(out / INDEX)
    shards, names = np.unique(index.shard).tolist(), []
    for done, number in enumerate(shards, start=1):
        path = shard_path(out, number)
        rows = np.flatnonzero(index.shard == number)
        samples = open_shard(path)
        if any(checksum(samples, index, row) != index.checksum[row] for row in rows):
            names.append(path.name)
        if progress is not None:
            progress(done, len(shards))
    sounds, listed = contents.sounds, (out / CONTENTS).is_file() or (out / CORPUS / MARK).is_file()
    if listed and not (len(sounds) == len(set(sounds)) == len(index) and (index.find(sounds) >= 0).all()):
        names.append(CONTENTS)  # a pack of an earlier version has no such file
    return [*names, *(f"{CORPUS}/{name}" for name in contents.changed(out))]


def _prints(source: Path, names: Sequence[str]) -> dict[str, str]:
    """Fingerprints of some files, spread evenly, by which a reader recognises another corpus with the same names."""
    few = names[:: max(1, len(names) // PRINTS)]
    known = {name: fingerprint(source / name) for name in few if (source / name).is_file()}  # not of a packed sound
    return {name: text for name, text in known.items() if text is not None}


def _plan(files: Sequence[Path], names: Sequence[str], sample_rate: int, shard_mb: float) -> str:
    hashed = sha256(f"{sample_rate} {shard_mb}".encode())
    for path, name in zip(files, names, strict=True):
        hashed.update(f"{name}\0{_size(path)}\0".encode("utf-8", "surrogateescape"))
    return hashed.hexdigest()[:16]


def _size(path: Path) -> int:
    try:
        return state(path)[0]
    except OSError:  # as for a link to nowhere, which is left out later
        return -1


def _prepare(out: Path, plan: str, prints: dict[str, str], overwrite: bool) -> dict[str, str]:
    """Keep shards of the same plan and the same sounds; refuse other shards, or remove them with `overwrite`.

    Returns the fingerprints of the pack. An earlier version wrote the plan only. It is not known which sounds its
    shards have, so they are kept without fingerprints, and with `overwrite` they are removed.
    """
    begun, now = out / PLAN, [plan, sha256(json.dumps(prints).encode()).hexdigest()[:16]]
    before = begun.read_text().split() if begun.is_file() else []
    if before == now[:1] and not overwrite and any(out.glob("shard_*.i16")):
        return {}
    if before not in ([], now, now[:1]) and not overwrite:
        raise WsedError(
            f"{out} holds a pack of other files, another rate or another size of shards; "
            "give another folder, or replace it with --overwrite"
        )
    if before not in ([], now):
        for path in [*out.glob("shard_*"), out / INDEX, out / FACTS, out / CONTENTS]:
            path.unlink(missing_ok=True)
    begun.write_text("\n".join(now))
    return prints


def _shards(files: Sequence[Path], sample_rate: int, shard_mb: float, out: Path) -> list[list[int]]:
    """The numbers of the files of each shard. A file is never cut."""
    seconds = [length if isinstance(length := header(path), float) else 0.0 for path in files]
    need, room = 2 * sample_rate * sum(seconds), shutil.disk_usage(out).free
    there = sum(path.stat().st_size for path in out.glob("shard_*.i16"))
    if need > room + there:
        raise WsedError(f"{out} needs {need / 1e9:.1f} GB, but the disk has {room / 1e9:.1f} GB of free space")
    shards, size = [[0]], 2 * sample_rate * seconds[0]
    for number in range(1, len(files)):
        size += 2 * sample_rate * seconds[number]
        if size > shard_mb * 1e6:
            shards.append([])
            size = 2 * sample_rate * seconds[number]
        shards[-1].append(number)
    return shards


def _run(
    write: Callable[[tuple[int, list[str]]], PackResult], jobs: list[tuple[int, list[str]]], workers: int | None
) -> Iterator[PackResult]:
    n_workers = min(workers or os.cpu_count() or 1, len(jobs))
    if n_workers == 1:
        yield from map(write, jobs)
        return
    with ProcessPoolExecutor(n_workers, multiprocessing.get_context("spawn"), end_with_parent) as pool:
        try:
            yield from pool.map(write, jobs)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _write_shard(source: Path, out: Path, plan: str, sample_rate: int, job: tuple[int, list[str]]) -> PackResult:
    """Write one shard and its notes, unless they exist."""
    number, names = job
    path, rows_path, notes = shard_path(out, number), out / f"shard_{number:05d}.npz", out / f"shard_{number:05d}.json"
    if path.is_file() and rows_path.is_file() and notes.is_file():
        kept = Notes(**read_json_object(notes, f"remove {path} and run `wsed data pack` again"))  # type: ignore[arg-type]
        if (kept.plan, kept.bytes) == (plan, path.stat().st_size):
            return PackResult(Index.read(rows_path), kept.rounded, kept.clipped, tuple(kept.refused))
    remove_leftovers(path)
    rows: list[tuple[str, int, int, int, int]] = []
    refused: list[str] = []
    rounded = clipped = first = 0
    with write_whole(path) as part, part.open("wb") as file:
        for name in names:
            try:
                exact = audio.read(source / name, sample_rate) * FULL
            except WsedError as error:
                refused.append(str(error))
                continue
            samples = np.rint(exact).clip(-FULL, FULL - 1).astype("<i2")
            rounded += not np.array_equal(samples, exact)
            clipped += bool((np.rint(exact) != samples).any())
            file.write(samples.data)
            rows.append((name, number, first, len(samples), zlib.crc32(samples.data)))
            first += len(samples)
    index = Index.of(rows)
    index.write(rows_path)
    write_text(notes, json.dumps(asdict(Notes(plan, 2 * first, rounded, clipped, refused))))
    return PackResult(index, rounded, clipped, tuple(refused))
