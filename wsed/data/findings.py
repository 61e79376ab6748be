"""The results of `wsed data check`: findings, statistics of each table, and both together."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from wsed.literals import checked
from wsed.text import short

Severity = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""An error would stop a training or make its scores wrong; a warning should be checked; a note is information."""


@checked
@dataclass(frozen=True)
class Finding:
    """One defect of a corpus.

    Attributes:
        severity: `error`, `warning` or `note`.
        check: the check that found it (`missing`, `silent`, `unknown_label`, ...).
        message: what is wrong and how to fix it.
        table: the label table, such as `train/weak`, or the list, such as `eval_segments.csv`; empty for a file that
            no table lists.
        row: line number in that table; the header is line 1. It is 0 for a file without a row.
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
        """The place of the finding: table and row, then the file or clip."""
        own = self.table.endswith((".csv", ".tsv", ".txt", "/"))
        name = self.table if own else f"metadata/{self.table}.tsv"
        table = name + (f":{self.row}" if self.row else "") if self.table and self.row != 0 else ""
        return " ".join(part for part in (table, short(self.file or self.clip)) if part)


@dataclass(frozen=True)
class ClassStats:
    """Statistics of one class in one table; events and seconds are 0 if the table has no times."""

    clips: int
    events: int
    total_seconds: float
    median_seconds: float


@dataclass(frozen=True)
class TableStats:
    """Statistics of one table.

    Attributes:
        table: name of the table, such as `train/weak`.
        kind: `weak` (tags), `strong` (events) or `unlabelled`.
        clips: number of listed clips.
        readable: number of clips whose file exists and can be read.
        seconds: total duration of the readable clips.
        classes: statistics per class, in the order of the labels.
    """

    table: str
    kind: str
    clips: int
    readable: int
    seconds: float
    classes: Mapping[str, ClassStats]


@dataclass(frozen=True)
class CorpusReport:
    """Findings and statistics of a corpus.

    Attributes:
        root: folder of the corpus.
        sample_rate: the expected sample rate, Hz; None if no file can be read.
        duration: the expected duration of clips, in seconds.
        quick: whether only headers were read.
        labels: the expected classes.
        findings: the findings, worst first.
        tables: statistics of each table.
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
        """Whether there are no errors."""
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def counts(self) -> dict[str, int]:
        """Number of findings of each severity."""
        counts = Counter(finding.severity for finding in self.findings)
        return {severity: counts[severity] for severity in SEVERITIES}

    def as_dict(self) -> dict[str, object]:
        """The report as JSON values; the keys are the same for every corpus."""
        return {"ok": self.ok, "counts": self.counts, **asdict(self)}
