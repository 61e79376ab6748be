"""The lists of a corpus for `wsed data check`: their rows, and the findings that need no audio."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from wsed.data.clip import Timed
from wsed.data.findings import Finding
from wsed.errors import near

RARE = 10
"""A class may be a misspelling of a similar class that has this many times as many rows."""


@dataclass(frozen=True)
class Row:
    """A row of a table: line number (0: the clip has no row), clip, labels, and the event if there is one."""

    line: int
    clip: str
    labels: tuple[str, ...] = ()
    event: Timed | None = None


@dataclass(frozen=True)
class Listing:
    """A list of clips.

    Attributes:
        table: name of the list.
        kind: `weak` (tags), `strong` (events) or `unlabelled`.
        rows: the rows.
        files: the path of each clip, whether it exists or not; empty without an audio folder.
        problems: malformed rows, and other defects of the list.
        part: the split of the rows, if the name of the list does not show it; a table may be listed once per split.
    """

    table: str
    kind: str
    rows: tuple[Row, ...]
    files: Mapping[str, Path]
    problems: tuple[Finding, ...] = ()
    part: str = ""

    @property
    def split(self) -> str:
        """`train`, `validation` or `eval` (`test`); lists of videos are `train` or `eval`."""
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
        folder: folder of the corpus; findings name files relative to it.
        audio: folder of the clips.
        lists: the lists.
        labels: the known classes.
        max_missing: greatest share of the clips of a list that may be missing.
        listed: whether the corpus has a list of its classes; otherwise they are the classes of its training clips.
    """

    folder: Path
    audio: Path
    lists: tuple[Listing, ...]
    labels: tuple[str, ...]
    max_missing: float
    listed: bool = True


def row_findings(listing: Listing, labels: Sequence[str]) -> Iterator[Finding]:
    """All findings in a list that need no audio."""
    yield from listing.problems
    yield from label_findings(listing, labels)
    yield from repeated_rows(listing)


def label_findings(listing: Listing, labels: Sequence[str]) -> Iterator[Finding]:
    """Labels that are not among the classes: one finding per label, at its first row."""
    counts = Counter(label for row in listing.rows for label in row.labels if label not in labels)
    for label, count in counts.items():
        row = next(r for r in listing.rows if label in r.labels)
        text = f"unknown label {label!r} in {count} row{'s' if count > 1 else ''}{near(label, labels)}"
        fix = f"; rename it, or add it to the classes (metadata/labels.txt, or labels); known: {', '.join(labels)}"
        yield Finding("error", "unknown_label", text + fix, listing.table, row.line, row.clip)


def similar_labels(listings: Sequence[Listing]) -> Iterator[Finding]:
    """Rare classes of the training tables whose names resemble the name of a frequent class."""
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
    """Rows that repeat an earlier row."""
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
