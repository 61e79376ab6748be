"""The clips of a list compared with their sound files: missing clips, events outside their clip, statistics."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from wsed.data.corpus.listing import Listing
from wsed.data.doctor.probe import Probe
from wsed.data.findings import ClassStats, Finding, Severity, TableStats

TOLERANCE = 0.1
"""Tolerance in seconds for clips that are too short and events that end after their clip, as in cut videos."""


def missing(listing: Listing, probes: Mapping[Path, Probe], max_missing: float) -> Iterator[Finding]:
    """Clips without a file: warnings, or errors if so many are missing that a training would refuse to start."""
    absent = [clip for clip, path in listing.files.items() if path not in probes]
    if not absent:
        return
    share = len(absent) / len(listing.files)
    severity: Severity = "error" if share > max_missing or share == 1 else "warning"
    count = f"{len(absent)} of the {len(listing.files)} clips of this table are missing"
    if share == 1:
        text = f"all {len(absent)} clips are missing; download them, or move the table away if you do not need it"
        yield Finding(severity, "missing", text, listing.table, file=str(listing.files[absent[0]].parent))
        return
    limit = "more than" if severity == "error" else "not more than"
    first = listing.first_rows
    for clip in absent:
        text = f"no such file; download it ({count}, {limit} max_missing={max_missing:g})"
        yield Finding(severity, "missing", text, listing.table, first[clip].line, clip, str(listing.files[clip]))


def event_findings(listing: Listing, probes: Mapping[Path, Probe]) -> Iterator[Finding]:
    """Events that end after their clip."""
    for row in listing.rows:
        probed = probes.get(listing.files.get(row.clip, Path()), Probe("missing"))
        if row.event is None or probed.error or probed.truncated:
            continue
        label, onset, offset = row.event
        at = (listing.table, row.line, row.clip, str(listing.files[row.clip]))
        span = f"{label} from {onset:g} to {offset:g} s, but the clip lasts {probed.duration:.2f} s"
        if onset >= probed.duration:
            yield Finding("error", "event_outside", f"{span}; correct the times or delete the row", *at)
        elif offset > probed.duration + TOLERANCE:
            yield Finding("warning", "event_outside", f"{span}; the event is cut there", *at)


def table_stats(listing: Listing, probes: Mapping[Path, Probe], labels: Sequence[str]) -> TableStats:
    """The statistics of a table: its clips, its readable audio, and the clips and events of each class."""
    read = [probes[path] for path in listing.files.values() if path in probes and not probes[path].error]
    clips: dict[str, set[str]] = {}
    lengths: dict[str, list[float]] = {}
    for row in listing.rows:
        for label in row.labels:
            clips.setdefault(label, set()).add(row.clip)
        if row.event is not None:
            lengths.setdefault(row.event[0], []).append(row.event[2] - row.event[1])
    classes = {}
    for label in [*(name for name in labels if name in clips), *sorted(clips.keys() - set(labels))]:
        times = lengths.get(label, [])
        total, middle = round(sum(times, 0.0), 3), round(median(times), 3) if times else 0.0
        classes[label] = ClassStats(len(clips[label]), len(times), total, middle)
    n_clips = len(listing.first_rows)
    seconds = round(sum((p.duration for p in read), 0.0), 3)
    return TableStats(f"{listing.table} {listing.part}".rstrip(), listing.kind, n_clips, len(read), seconds, classes)
