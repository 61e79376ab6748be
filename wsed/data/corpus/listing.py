"""The lists of a corpus as the data doctor sees them: what each names, and what is wrong with its rows."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from wsed.data.clip import Timed
from wsed.data.findings import Finding
from wsed.registry import near

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
    """One list as read.

    Attributes:
        table: its name.
        kind: `weak` (tags), `strong` (events) or `unlabelled`.
        rows: what it lists.
        files: the file where each clip is or should be; empty without an audio folder.
        problems: rows that cannot be understood, and what else is wrong with the list itself.
        part: the split it is of, where its name does not say; a table may be listed once for each split.
    """

    table: str
    kind: str
    rows: tuple[Row, ...]
    files: Mapping[str, Path]
    problems: tuple[Finding, ...] = ()
    part: str = ""

    @property
    def split(self) -> str:
        """`train`, `validation` or `eval` (`test`); lists of videos' clips are of one of two."""
        if self.part:
            return self.part
        if self.table.endswith((".csv", ".tsv")):
            return "train" if "train" in self.table else "eval"
        return self.table.partition("/")[0]

    @cached_property
    def first_rows(self) -> dict[str, Row]:
        """The first row of each clip."""
        return {row.clip: row for row in reversed(self.rows)}


@dataclass(frozen=True)
class Listings:
    """The lists of a corpus.

    Attributes:
        folder: of the corpus; files are named by their place in it.
        audio: folder of the clips.
        lists: the lists, with what is wrong with each.
        labels: the classes that labels are compared with.
        max_missing: share of a list's clips that may be missing before it is an error.
        listed: whether the corpus lists its classes; else they are those that its training clips have.
    """

    folder: Path
    audio: Path
    lists: tuple[Listing, ...]
    labels: tuple[str, ...]
    max_missing: float
    listed: bool = True


def row_findings(listing: Listing, labels: Sequence[str]) -> Iterator[Finding]:
    """The findings in a list that need no audio."""
    yield from listing.problems
    yield from label_findings(listing, labels)
    yield from repeated_rows(listing)


def label_findings(listing: Listing, labels: Sequence[str]) -> Iterator[Finding]:
    """Labels that are no class: one finding a label, at its first row."""
    counts = Counter(label for row in listing.rows for label in row.labels if label not in labels)
    for label, count in counts.items():
        row = next(r for r in listing.rows if label in r.labels)
        text = f"unknown label {label!r} in {count} row{'s' if count > 1 else ''}{near(label, labels)}"
        fix = f"; rename it, or add it to the classes (metadata/labels.txt, or labels); known: {', '.join(labels)}"
        yield Finding("error", "unknown_label", text + fix, listing.table, row.line, row.clip)


def similar_labels(listings: Sequence[Listing]) -> Iterator[Finding]:
    """Classes of the training tables that few rows name and that are spelt like one that many do."""
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
            text = f"repeats row {seen[key]}; delete one of them{effect}"
            yield Finding("warning", "repeated_row", text, listing.table, row.line, row.clip)
        seen.setdefault(key, row.line)
