"""The check of a corpus: all defects that would stop a training or make its scores wrong."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import log10
from pathlib import Path

from wsed.data import sound_files
from wsed.data.corpus import desed_layout as layout
from wsed.data.corpus.base import CORPORA, Corpus
from wsed.data.corpus.listing import Listing, Listings, row_findings, similar_labels
from wsed.data.doctor.clips import TOLERANCE, event_findings, missing, table_stats
from wsed.data.doctor.probe import SILENT_PEAK, Probe, probe
from wsed.data.findings import SEVERITIES, CorpusReport, Finding, Severity
from wsed.errors import WsedError, near

_VIDEO = re.compile(r"Y?[\w-]{11}_\d+\.\d+_\d+\.\d+")
"""Clip names that hold a video and its times; clips with equal names have the same sound."""


def check(
    root: str | Path | Corpus,
    *,
    labels: Sequence[str] | None = None,
    sample_rate: int | None = None,
    duration: float = 10.0,
    workers: int | None = None,
    quick: bool = False,
    tables: Sequence[str] | None = None,
    max_missing: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CorpusReport:
    """Check every clip and every row of a corpus.

    Args:
        root: a corpus, or its folder, see `wsed.data.corpus`.
        labels: the classes; None: the classes of a training (`metadata/labels.txt`, or else those of the training
            tables). AudioSet and DCASE 2017 have their own.
        sample_rate: expected sample rate of the clips, Hz; None: the most common one.
        duration: expected duration of the clips, in seconds.
        workers: number of threads; None: the number of cores, at most 8.
        quick: whether to read headers only; then silent, clipped, NaN and duplicate clips are not detected.
        tables: tables to check (`train/weak`, `eval_segments.csv`, ...); None: all.
        max_missing: greatest share of the clips of a table, from 0 to 1, that may be missing; None: as in training,
            0.05, or 1 for clips that are cut from videos.
        progress: called with the number of files that are done and the number of all files.

    Raises:
        WsedError: there is no such folder or table, or the folder has no tables.
    """
    corpus = listings_in(root, tables) if isinstance(root, Corpus) else listings_of(Path(root), tables)
    listings, folder = corpus.lists, corpus.folder
    known = corpus.labels if labels is None else tuple(labels)
    findings: list[Finding] = []
    listed = {path for listing in listings for path in listing.files.values()}
    probes = _probe_all(sorted(filter(sound_files.is_file, listed)), workers, quick, progress)
    rates = Counter(p.sample_rate for p in probes.values() if not p.error)
    rate = sample_rate or (rates.most_common(1)[0][0] if rates else None)
    for listing in listings:
        findings += row_findings(listing, known)
        findings += missing(listing, probes, corpus.max_missing if max_missing is None else max_missing)
        findings += event_findings(listing, probes)
    findings += _file_findings(listings, probes, rate, duration)
    findings += _repeated_sounds(listings, probes)
    if labels is None and not corpus.listed:
        findings += similar_labels(listings)
    if tables is None:
        findings += _unlisted(corpus.audio, listed)
    stats = tuple(table_stats(listing, probes, known) for listing in listings)
    findings = sorted((_relative(f, folder) for f in findings), key=_order)
    return CorpusReport(
        str(folder if isinstance(root, Corpus) else root), rate, duration, quick, known, tuple(findings), stats
    )


def listings_in(corpus: Corpus, tables: Sequence[str] | None = None) -> Listings:
    """The lists of a corpus.

    Raises:
        WsedError: the corpus has no lists, or no list with one of the names.
    """
    listings = corpus.listings()
    if listings is None:
        raise WsedError(f"the corpus {type(corpus).__name__} has no lists to check; name the folder of each corpus")
    if tables is None:
        return listings
    known = dict.fromkeys(listing.table for listing in listings.lists)
    for name in tables:
        if name not in known:
            raise WsedError(f"no table {name!r}{near(name, known)}; known: {', '.join(known)}")
    return replace(listings, lists=tuple(listing for listing in listings.lists if listing.table in tables))


def listings_of(root: Path, tables: Sequence[str] | None = None) -> Listings:
    """The lists of the corpus in a folder; the first kind of corpus that recognises the folder reads them.

    Raises:
        WsedError: there is no such folder or table, or no kind of corpus recognises the folder.
    """
    for kind in CORPORA.classes():
        listings = kind.examine(root, tables)
        if listings is not None:
            return listings
    layout.base(root)  # says what is wrong with the folder
    raise WsedError(f"{root} is not a corpus of a known kind: {', '.join(CORPORA.names())}")


def _order(finding: Finding) -> tuple[int, str, str, int, str]:
    return SEVERITIES.index(finding.severity), finding.check, finding.table, finding.row or 0, finding.file


def _relative(finding: Finding, folder: Path) -> Finding:
    path = Path(finding.file)
    inside = finding.file and path.is_relative_to(folder)
    return replace(finding, file=path.relative_to(folder).as_posix()) if inside else finding


def _probe_all(
    files: Sequence[Path], workers: int | None, quick: bool, progress: Callable[[int, int], None] | None
) -> dict[Path, Probe]:
    # Threads are enough: decoding, numpy and hashing release the lock of the interpreter.
    probes = {}
    with ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool:
        for path, probed in zip(files, pool.map(lambda path: probe(path, quick), files), strict=True):
            probes[path] = probed
            if progress is not None:
                progress(len(probes), len(files))
    return probes


def _file_findings(
    listings: Sequence[Listing], probes: Mapping[Path, Probe], rate: int | None, duration: float
) -> Iterator[Finding]:
    """The defects of single files; each finding names the first row of the file."""
    done = set()
    for listing in listings:
        first = listing.first_rows
        for clip, path in listing.files.items():
            if path in probes and path not in done:
                done.add(path)
                for severity, name, text in file_defects(probes[path], rate, duration):
                    yield Finding(severity, name, text, listing.table, first[clip].line, clip, str(path))
                seconds = probes[path].duration
                if listing.kind == "weak" and first[clip].labels and seconds > duration + TOLERANCE:
                    text = (
                        f"lasts {seconds:.2f} s, but only {duration:g} s are read, and its tags may belong to the "
                        "rest; cut it into clips, or check and train with its duration"
                    )
                    yield Finding("warning", "long", text, listing.table, first[clip].line, clip, str(path))


def file_defects(probed: Probe, rate: int | None, duration: float) -> Iterator[tuple[Severity, str, str]]:
    """Severity, check and message of each defect of a file; an unreadable or truncated file has only one."""
    if probed.error:
        yield "error", "unreadable", f"{probed.error}, or delete it to leave the clip out"
        return
    if probed.truncated:
        text = f"truncated: its header declares {probed.declared} samples, only {probed.decoded} can be decoded"
        yield "error", "truncated", f"{text}; download it again, or delete it to leave the clip out"
        return
    if probed.not_finite:
        text = f"{probed.not_finite} samples are NaN or infinite; export it again, or delete it to leave the clip out"
        yield "error", "nan", text
    elif probed.peak is not None and probed.peak < SILENT_PEAK:
        level = "it holds only zeros" if probed.peak == 0 else "its peak is below -60 dBFS"
        yield "warning", "silent", f"silent: {level}; delete it to leave the clip out"
    if probed.cut_off:
        yield "warning", "clipped", f"{probed.clipped:.1%} of its samples are cut off at full scale; record it quieter"
    if probed.too_loud:
        level = f"its peak is {20 * log10(probed.peak or 1.0):.1f} dB above full scale, where other programs cut it off"
        yield "warning", "loud", f"too loud: {level}; scale it down"
    if rate is not None and probed.sample_rate != rate:
        text = f"{probed.sample_rate} Hz, expected {rate} Hz; it is resampled each time it is read: convert it once"
        yield "warning", "wrong_rate", text
    if probed.duration < duration - TOLERANCE:
        yield "warning", "short", f"lasts {probed.duration:.2f} s, less than {duration:g} s; the rest will be padding"


def _repeated_sounds(listings: Sequence[Listing], probes: Mapping[Path, Probe]) -> Iterator[Finding]:
    """Clips with the same sound: a warning within a split, an error between `train` and another split."""
    groups: dict[tuple[int, str], list[tuple[Listing, str, Path]]] = {}
    for listing in listings:
        for clip, path in listing.files.items():
            for key in _identities(clip, path, probes.get(path)):
                groups.setdefault(key, []).append((listing, clip, path))
    reported: set[Path] = set()
    for (kind, _), group in sorted(groups.items(), key=lambda item: item[0][0]):
        paths = list(dict.fromkeys(path for _, _, path in group))
        splits = sorted({listing.split for listing, _, _ in group})
        leak = "train" in splits and len(splits) > 1
        if (leak and not reported.issuperset(paths)) or (kind == 0 and len(paths) > 1):
            reported.update(paths)
            listing, clip, path = group[0]
            at = (listing.table, listing.first_rows[clip].line, clip, str(path))
            name = "leak" if leak else "duplicate"
            yield Finding("error" if leak else "warning", name, _repeated(paths, splits, leak), *at)


def _identities(clip: str, path: Path, probed: Probe | None) -> Iterator[tuple[int, str]]:
    """The keys by which equal clips are recognised, the most reliable first: sound, file, part of a video."""
    # A damaged or silent file has its own finding, and is not compared with others.
    if (
        probed
        and probed.digest
        and not probed.not_finite
        and not probed.truncated
        and (probed.peak or 0.0) >= SILENT_PEAK
    ):
        yield 0, probed.digest
    if probed:
        yield 1, str(path)
    if _VIDEO.fullmatch(sound_files.stem(clip)):
        yield 2, sound_files.stem(clip)


def _repeated(paths: Sequence[Path], splits: Sequence[str], leak: bool) -> str:
    others = ", ".join(f"{p.parent.name}/{p.name}" for p in paths[1:4]) + (", ..." if len(paths) > 4 else "")
    same = f"the same sound as {others}" if others else "one file"
    if leak:
        return f"{same}, in {' and '.join(splits)}: scores would be too good; delete the training file or its row"
    return f"{same}; keep one of them, unless the repetition is intended"


def _unlisted(folder: Path, listed: Iterable[Path]) -> Iterator[Finding]:
    if not (others := set(sound_files.sound_files(folder)).difference(listed)):
        return
    used = {os.path.realpath(path) for path in listed}  # a table may use a link, or a name with `..`
    for path in sorted(path for path in others if os.path.realpath(path) not in used):
        yield Finding(
            "note",
            "unlisted",
            "no training uses this file: no table lists it, or its row is in no split",
            file=str(path),
        )
