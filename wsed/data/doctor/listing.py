"""One label table as the data doctor sees it: what it lists, what is wrong with its rows, what it holds."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from statistics import median

from wsed.data import sound_files
from wsed.data import table as tsv
from wsed.data.clip import Timed
from wsed.data.corpus import desed_layout as layout
from wsed.data.doctor.findings import ClassStats, Finding, Severity, TableStats
from wsed.data.doctor.probe import Probe
from wsed.data.table import RowError
from wsed.errors import WsedError
from wsed.registry import near

TOLERANCE = 0.1
"""Seconds by which a clip may be shorter than asked, and an event longer than its clip: cut videos are so."""

RARE = 10
"""A class that is spelt like one of this many times its rows may be a slip of the pen."""


@dataclass(frozen=True)
class Row:
    """One row of a table: its line, its clip, the labels it names and its event if it has one."""

    line: int
    clip: str
    labels: tuple[str, ...] = ()
    event: Timed | None = None


@dataclass(frozen=True)
class Listing:
    """One table as read: its rows, and the file where each clip is or should be (empty without an audio folder)."""

    table: str
    kind: str
    rows: tuple[Row, ...]
    files: Mapping[str, Path]

    @property
    def split(self) -> str:
        """`train`, `validation` or `eval`; lists of videos' clips are of one of two."""
        if self.table.endswith((".csv", ".tsv")):
            return "train" if "train" in self.table else "eval"
        return self.table.partition("/")[0]

    @cached_property
    def first_rows(self) -> dict[str, Row]:
        """The first row of each clip."""
        return {row.clip: row for row in reversed(self.rows)}


def read_listing(folder: Path, name: str) -> tuple[Listing, list[Finding]]:
    """A table and its malformed rows; what cannot be read of it is left out."""
    path = layout.table_file(folder, name)
    problems: list[RowError] = []
    try:
        kind, rows = _rows(path, problems)
    except RowError as error:
        text = f"{error.text}; the table is not read"
        return Listing(name, "unlabelled", (), {}), [Finding("error", "row", text, name, error.line)]
    except WsedError as error:
        fix = "; mend its first line, or move it out of metadata/ if it is no clip table"
        return Listing(name, "unlabelled", (), {}), [Finding("error", "table", f"{error}{fix}", name)]
    findings = [Finding("error", "row", f"{p.text}; mend or delete the row", name, p.line) for p in problems]
    files: dict[str, Path] = {}
    try:
        _, audio = layout.find(folder, name)
        first = {row.clip: row for row in reversed(rows)}
        outside = {clip: row.line for clip, row in first.items() if sound_files.leaves(audio, clip, folder)}
        text = f"the file {layout.OUTSIDE}"
        findings += [Finding("error", "outside", text, name, line, clip) for clip, line in outside.items()]
        files = sound_files.locate(
            audio, (clip for clip in dict.fromkeys(row.clip for row in rows) if clip not in outside)
        )
        if not rows and not problems:
            findings.append(Finding("error", "empty", "lists no clips; fill it, or move it out of metadata/", name))
    except WsedError as error:
        findings.append(Finding("error", "folder", f"{error}; move the table away if you do not need it", name))
    return Listing(name, kind, tuple(rows), files), findings


def _rows(path: Path, problems: list[RowError]) -> tuple[str, list[Row]]:
    columns = tsv.read_columns(path)
    weak, strong = "event_labels" in columns, "onset" in columns
    rows = []
    if weak:
        rows += [Row(line, clip, tuple(sorted(tags))) for line, clip, tags in tsv.weak_rows(path, problems)]
    if strong:
        again: list[RowError] = []
        for line, clip, event in tsv.strong_rows(path, again):
            rows.append(Row(line, clip, (event[0],) if event else (), event))
        problems += [p for p in again if p.line not in {q.line for q in problems}]
    if not weak and not strong:
        rows = [Row(line, row["filename"]) for line, row in tsv.read_rows(path, ("filename",), problems)]
    return "strong" if strong else "weak" if weak else "unlabelled", rows


def missing(listing: Listing, probes: Mapping[Path, Probe], max_missing: float) -> Iterator[Finding]:
    """Clips without a file: warnings, errors where training would refuse to go on without so many."""
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


def label_findings(listing: Listing, labels: Sequence[str]) -> Iterator[Finding]:
    """Labels that are no class: one finding a label, at its first row."""
    counts = Counter(label for row in listing.rows for label in row.labels if label not in labels)
    for label, count in counts.items():
        row = next(r for r in listing.rows if label in r.labels)
        text = f"unknown label {label!r} in {count} row{'s' if count > 1 else ''}{near(label, labels)}"
        fix = f"; rename it, or add it to the classes (metadata/labels.txt, or labels); known: {', '.join(labels)}"
        yield Finding("error", "unknown_label", text + fix, listing.table, row.line, row.clip)


def similar_labels(listings: Sequence[Listing]) -> Iterator[Finding]:
    """Classes of the training tables that few clips have and that are spelt like one that many have."""
    counts: Counter[str] = Counter()
    first: dict[str, tuple[Listing, Row]] = {}
    for listing in listings:
        for row in listing.rows if listing.split == "train" else ():
            counts.update(row.labels)
            for label in row.labels:
                first.setdefault(label, (listing, row))
    for label, count in counts.items():
        common = [other for other, n in counts.items() if n >= max(RARE * count, 2)]
        if like := get_close_matches(label, common, cutoff=0.8):
            listing, row = first[label]
            text = f"the class {label!r} is in {count} row{'s' if count > 1 else ''} (did you mean {like[0]}?)"
            fix = "; rename it there, or list the classes in metadata/labels.txt"
            yield Finding("warning", "similar_label", text + fix, listing.table, row.line, row.clip)


def repeated_rows(listing: Listing) -> Iterator[Finding]:
    """Rows that say the same twice."""
    seen: dict[tuple[str, object], int] = {}
    for row in listing.rows:
        if listing.kind == "strong" and row.event is None:
            continue
        key = (row.clip, row.event or row.labels)
        if key in seen:
            effect = ", or the event counts twice in scores" if row.event else ""
            text = f"says the same as row {seen[key]}; delete one of them{effect}"
            yield Finding("warning", "repeated_row", text, listing.table, row.line, row.clip)
        seen.setdefault(key, row.line)


def event_findings(listing: Listing, probes: Mapping[Path, Probe]) -> Iterator[Finding]:
    """Events that end after their clip."""
    for row in listing.rows:
        found = probes.get(listing.files.get(row.clip, Path()), Probe("missing"))
        if row.event is None or found.error or found.truncated:
            continue
        label, onset, offset = row.event
        at = (listing.table, row.line, row.clip, str(listing.files[row.clip]))
        span = f"{label} from {onset:g} to {offset:g} s, but the clip lasts {found.duration:.2f} s"
        if onset >= found.duration:
            yield Finding("error", "event_outside", f"{span}; correct the times or delete the row", *at)
        elif offset > found.duration + TOLERANCE:
            yield Finding("warning", "event_outside", f"{span}; the event is cut there", *at)


def table_stats(listing: Listing, probes: Mapping[Path, Probe], labels: Sequence[str]) -> TableStats:
    """What the table holds of each class, and how much of its audio is there."""
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
    return TableStats(listing.table, listing.kind, n_clips, len(read), seconds, classes)
