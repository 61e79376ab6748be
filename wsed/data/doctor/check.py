"""The data doctor: everything in a corpus that would stop or spoil a training."""

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
from wsed.data.findings import SEVERITIES, Finding, Report, Severity
from wsed.errors import WsedError
from wsed.registry import near

_VIDEO = re.compile(r"Y?[\w-]{11}_\d+\.\d+_\d+\.\d+")
"""Clip names that say which stretch of which video a clip is: equal names are equal sounds."""


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
) -> Report:
    """Look at every clip and every row of a corpus, of any kind that knows the folder as its own.

    Args:
        root: the folder of a corpus, see `wsed.data.corpus`; or a corpus.
        labels: the classes; None takes those of training: `metadata/labels.txt`, or where there is none, what the
            training tables name. AudioSet and DCASE 2017 have their own.
        sample_rate: rate the clips should have, Hz; None takes the most common one.
        duration: length the clips should have, seconds.
        workers: threads; None takes as many as there are cores, at most 8.
        quick: read headers only; silent, clipped, NaN and duplicate clips are then not detected.
        tables: the tables to look at (`train/weak`, `eval_segments.csv`, ...); None takes all.
        max_missing: share of a table's clips, 0 to 1, that may be missing before it is an error; None: as in training,
            0.05, or all but one of clips cut from videos.
        progress: called with the files done and the files in all.

    Raises:
        WsedError: there is no such folder or table, or no table at all.
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
    return Report(
        str(folder if isinstance(root, Corpus) else root), rate, duration, quick, known, tuple(findings), stats
    )


def listings_in(corpus: Corpus, tables: Sequence[str] | None = None) -> Listings:
    """The lists of a corpus.

    Raises:
        WsedError: it has none, or no table of such a name.
    """
    listings = corpus.listings()
    if listings is None:
        raise WsedError(f"the corpus {type(corpus).__name__} has no lists to look at; name the folder of each corpus")
    if tables is None:
        return listings
    known = dict.fromkeys(listing.table for listing in listings.lists)
    for name in tables:
        if name not in known:
            raise WsedError(f"no table {name!r}{near(name, known)}; known: {', '.join(known)}")
    return replace(listings, lists=tuple(listing for listing in listings.lists if listing.table in tables))


def listings_of(root: Path, tables: Sequence[str] | None = None) -> Listings:
    """The lists of the corpus in a folder: of the first kind of corpus that knows the folder as its own.

    Raises:
        WsedError: there is no such folder or table, or no kind of corpus knows the folder.
    """
    for kind in CORPORA.classes():
        listings = kind.examine(root, tables)
        if listings is not None:
            return listings
    layout.base(root)  # says what is wrong with the folder
    raise WsedError(f"{root} is no corpus of a known kind: {', '.join(CORPORA.names())}")


def _order(finding: Finding) -> tuple[int, str, str, int, str]:
    return SEVERITIES.index(finding.severity), finding.check, finding.table, finding.row or 0, finding.file


def _relative(finding: Finding, folder: Path) -> Finding:
    path = Path(finding.file)
    inside = finding.file and path.is_relative_to(folder)
    return replace(finding, file=path.relative_to(folder).as_posix()) if inside else finding


def _probe_all(
    files: Sequence[Path], workers: int | None, quick: bool, progress: Callable[[int, int], None] | None
) -> dict[Path, Probe]:
    # Threads are enough: decoding, numpy and hashing all run without the interpreter's lock.
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
    """What is wrong with single files, each named with the first row that lists it."""
    done = set()
    for listing in listings:
        first = listing.first_rows
        for clip, path in listing.files.items():
            if path in probes and path not in done:
                done.add(path)
                for severity, name, text in file_defects(probes[path], rate, duration):
                    yield Finding(severity, name, text, listing.table, first[clip].line, clip, str(path))
                seconds = probes[path].duration
                if listing.kind == "weak" and seconds > duration + TOLERANCE:
                    text = (
                        f"lasts {seconds:.2f} s, and its tags may be of what lies beyond the {duration:g} s that are "
                        "read; cut it into clips, or pass and train with its duration"
                    )
                    yield Finding("warning", "long", text, listing.table, first[clip].line, clip, str(path))


def file_defects(probed: Probe, rate: int | None, duration: float) -> Iterator[tuple[Severity, str, str]]:
    """Severity, check and message of everything wrong with one file; of a broken one only that it is."""
    if probed.error:
        yield "error", "unreadable", f"{probed.error}, or delete it to leave the clip out"
        return
    if probed.truncated:
        text = f"truncated: its header says {probed.declared} samples, only {probed.decoded} can be decoded"
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
        text = f"{probed.sample_rate} Hz where {rate} Hz is expected; it is resampled at every reading: convert it once"
        yield "warning", "wrong_rate", text
    if probed.duration < duration - TOLERANCE:
        yield "warning", "short", f"lasts {probed.duration:.2f} s, less than {duration:g} s; the rest will be padding"


def _repeated_sounds(listings: Sequence[Listing], probes: Mapping[Path, Probe]) -> Iterator[Finding]:
    """Equal sounds: a warning in one split, an error between train and the others."""
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
    """What makes a clip the same as another, the surest first: its sound, its file, its part of a video."""
    # A broken or silent file has a finding of its own, and is not compared with others.
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
        return f"{same}, listed in {' and '.join(splits)}: scores would be too good; delete it from the train tables"
    return f"{same}; keep one of them, unless they are meant"


def _unlisted(folder: Path, listed: Iterable[Path]) -> Iterator[Finding]:
    if not (others := set(sound_files.sound_files(folder)).difference(listed)):
        return
    used = {os.path.realpath(path) for path in listed}  # by a link, or by a name with `..`
    for path in sorted(path for path in others if os.path.realpath(path) not in used):
        yield Finding("note", "unlisted", "no table lists this file; it is not used", file=str(path))
