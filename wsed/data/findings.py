"""Findings of the data doctor, statistics of each table, and the report of both."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from wsed.text import short

Severity = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""An error would stop or spoil training, a warning deserves a look, a note is for information."""


@dataclass(frozen=True)
class Finding:
    """One defect.

    Attributes:
        severity: `error`, `warning` or `note`.
        check: what was looked for (`missing`, `silent`, `unknown_label`, ...).
        message: what is wrong and how to mend it.
        table: the label table it concerns, as `train/weak`, or the list, as `eval_segments.csv`; empty for a file in no
            table.
        row: line number in that table, the header being line 1.
        clip: name of the clip in the table.
        file: the sound file, relative to the corpus.
    """

    severity: Severity
    check: str
    message: str
    table: str = ""
    row: int | None = None
    clip: str = ""
    file: str = ""

    @property
    def where(self) -> str:
        """Table and row, then the file or clip."""
        own = self.table.endswith((".csv", ".tsv", ".txt", "/"))
        name = self.table if own else f"metadata/{self.table}.tsv"
        table = name + (f":{self.row}" if self.row else "") if self.table else ""
        return " ".join(part for part in (table, short(self.file or self.clip)) if part)


@dataclass(frozen=True)
class ClassStats:
    """Clips and events of one class in one table; events and seconds are 0 where the table has no times."""

    clips: int
    events: int
    total_seconds: float
    median_seconds: float


@dataclass(frozen=True)
class TableStats:
    """What one table holds.

    Attributes:
        table: its name, as `train/weak`.
        kind: `weak` (tags), `strong` (events) or `unlabelled`.
        clips: clips listed.
        readable: clips whose file is there and can be read.
        seconds: length of those, together.
        classes: per class, in the order of the labels.
    """

    table: str
    kind: str
    clips: int
    readable: int
    seconds: float
    classes: Mapping[str, ClassStats]


@dataclass(frozen=True)
class Report:
    """Findings and statistics of a corpus.

    Attributes:
        root: the corpus.
        sample_rate: the expected sample rate, Hz; None where no file could be read.
        duration: the expected length of clips, seconds.
        quick: True if only headers were read.
        labels: the expected classes.
        findings: the worst first.
        tables: what each table holds.
    """

    root: str
    sample_rate: int | None
    duration: float
    quick: bool
    labels: tuple[str, ...]
    findings: tuple[Finding, ...]
    tables: tuple[TableStats, ...]

    @property
    def ok(self) -> bool:
        """No errors: go and train."""
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def counts(self) -> dict[str, int]:
        """Number of findings of each severity."""
        counts = Counter(finding.severity for finding in self.findings)
        return {severity: counts[severity] for severity in SEVERITIES}

    def as_dict(self) -> dict[str, object]:
        """The report as JSON values, with the same keys for every corpus."""
        return {"ok": self.ok, "counts": self.counts, **asdict(self)}
