"""The rows of `wsed table` and of `wsed show` for several runs: their cells, and the row that a test finds best."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsed.errors import WsedError
from wsed.metrics.base import METRICS, title_of
from wsed.metrics.chosen import metric_of
from wsed.metrics.system import System
from wsed.run import RunFolder
from wsed.scoring.report import Report
from wsed.scoring.resampling import Resampling, compare_samples, samples
from wsed.study.paper import NAN, Cell, surely_best
from wsed.types import Split

DEFAULT = ("event_f1/macro", "segment_f1/macro", "tagging_f1/macro", "psds1", "psds2")
"""The usual columns; those that no run has are left out."""

COUNTS = frozenset({"n_ref", "n_sys", "tp", "substitutions", "deletions", "insertions"})
NO_SHARES = frozenset({"value", "threshold", "macro_d_prime", "d_prime", "scatter_ratio"})
"""Numbers that are no shares of one, and so not written in per cent."""


@dataclass(frozen=True)
class RunsOfRow:
    """A row of a table: the scored runs of one experiment.

    Attributes:
        name: name of the row.
        runs: the runs, by seed.
        reports: the report of each run.

    >>> from wsed.metrics import MetricValue
    >>> reports = {f"seed_{i}": Report(3, {"event_f1": MetricValue({"macro": 0.2 + 0.1 * i})}) for i in range(2)}
    >>> row = RunsOfRow("mil", {seed: RunFolder(Path(seed)) for seed in reports}, reports)
    >>> row.values("event_f1/macro")["seed_0"], str(row.cell("event_f1/macro")), columns_of([row])
    (20.0, '25.0 ± 7.1', ['event_f1/macro'])
    >>> best_rows([row, row], ["event_f1/macro"], system=lambda run: None)
    {'event_f1/macro': None}
    """

    name: str
    runs: Mapping[str, RunFolder]
    reports: Mapping[str, Report]

    @staticmethod
    def read(path: Path, split: Split, name: str | None = None) -> "RunsOfRow":
        """The run in a folder, or the runs in its subfolders.

        Raises:
            WsedError: there is no such folder, or no run in it was scored.

        >>> RunsOfRow.read(Path("runs/none"), "test")
        Traceback (most recent call last):
        wsed.errors.WsedError: no such folder of a run: runs/none
        """
        folder = RunFolder.open(path)
        seeds = folder.seeds() or [folder]
        scored = [run for run in seeds if run.split(split).report.is_file()]
        if not scored:
            seeds[0].report(split)  # its error says what to run
        runs = {run.path.name: run for run in scored}
        return RunsOfRow(name or str(path), runs, {seed: run.report(split) for seed, run in runs.items()})

    def values(self, column: str) -> dict[str, float]:
        """The number of a column of each run, by seed, in the unit of the table; NaN where there is none."""
        return {seed: scale(column) * report.value(column, NAN) for seed, report in self.reports.items()}

    def cell(self, column: str) -> Cell:
        """Mean and deviation over runs; for one run, its value and interval."""
        values = self.values(column)
        if len(values) > 1:
            return Cell.of(values, digits(column))
        (report,), (value,) = self.reports.values(), values.values()
        metric, _, number = column.partition("/")
        limits = report.intervals.of(metric, number or "value") if report.intervals else None
        if limits is None:
            return Cell(value, digits=digits(column))
        return Cell(value, low=scale(column) * limits.low, high=scale(column) * limits.high, digits=digits(column))


def scale(column: str) -> float:
    """100 for columns in per cent; 1 for a PSDS, thresholds and counts.

    >>> scale("psds1"), scale("event_f1/macro"), scale("event_f1/per_class/Dog/n_ref")
    (1.0, 100.0, 1.0)
    """
    return 100.0 if digits(column) == 1 else 1.0


def digits(column: str) -> int:
    """Digits after the point: 1 in per cent, 0 for counts, 3 for others.

    >>> digits("psds1"), digits("psds1/value"), digits("tagging/macro_d_prime"), digits("event_f1/macro")
    (3, 3, 3, 1)
    >>> digits("event_f1/per_class/Dog/n_ref"), digits("event_f1/substitutions"), digits("event_f1/per_class/tp/f1")
    (0, 0, 1)
    """
    metric, _, number = column.partition("/")
    last = number.rpartition("/")[2].rpartition(", ")[2]  # recall_by_duration has `short, n_ref`
    if last in COUNTS:
        return 0
    bare = metric.partition(":")[0]
    is_single = not number or (bare in METRICS and "value" in METRICS[bare].numbers)
    return 3 if is_single or last in NO_SHARES else 1


def header(column: str) -> str:
    """The title of a column; of a macro average, the title of its metric.

    >>> header("event_f1/macro"), header("event_f1/micro"), header("psds1")
    ('event F1', 'event F1 micro', 'PSDS1')
    """
    metric, _, number = column.partition("/")
    return title_of(metric) if number in ("", "macro") else f"{title_of(metric)} {number.replace('_', ' ')}"


def columns_of(rows: Sequence[RunsOfRow], wanted: Sequence[str] | None = None) -> list[str]:
    """The columns: those that are asked for, or those of `DEFAULT` that some run has.

    Raises:
        WsedError: no run has a column that is asked for.

    >>> columns_of([])
    []
    """
    reports = [report for row in rows for report in row.reports.values()]
    columns = []
    for name in DEFAULT if wanted is None else wanted:
        metric, _, number = name.partition("/")
        having = [report for report in reports if metric in report.computed]
        if not having and wanted is not None:
            reports[0].value(name)  # its error lists the names
            raise WsedError(f"no run has {name}")
        if not having:
            continue
        single = having[0].computed[metric].is_single
        column = name if number or single else f"{metric}/macro"
        if wanted is not None:
            having[0].value(column)
        columns.append(column)
    return columns


def best_rows(
    rows: Sequence[RunsOfRow],
    columns: Sequence[str],
    system: Callable[[RunFolder], System | None],
    resamples: int = 1000,
) -> dict[str, str | None]:
    """The row of each column that a paired test finds better than every other row; None if the test leaves it open.

    Rows with several runs are paired by seed (t test); rows with one run each by clip (bootstrap).

    Args:
        rows: the rows.
        columns: the columns.
        system: the scores and the truth of a run; None if they no longer exist.
        resamples: number of resamples of the clips.

    >>> best_rows([], ["event_f1/macro"], system=lambda run: None)
    {}
    """
    if len(rows) < 2:
        return {}
    if all(len(row.runs) > 1 for row in rows):
        return {column: surely_best({row.name: row.values(column) for row in rows}) for column in columns}
    if any(len(row.runs) > 1 for row in rows):
        return {}
    systems = {row.name: system(next(iter(row.runs.values()))) for row in rows}
    best_of = {}
    for column in columns:
        values = {row.name: next(iter(row.values(column).values())) for row in rows}
        known = {name: value for name, value in values.items() if value == value}  # not NaN
        best = max(known, key=lambda name: known[name], default=None)
        others = [name for name in known if name != best]
        sure = best is not None and others and all(_above(column, systems, name, best, resamples) for name in others)
        best_of[column] = best if sure else None
    return best_of


def _above(column: str, systems: Mapping[str, System | None], first: str, second: str, resamples: int) -> bool:
    """Whether the interval of the paired difference, second minus first, lies above 0."""
    metric, _, number = column.partition("/")
    sides = [systems[first], systems[second]]
    if metric.partition(":")[0] not in METRICS or any(side is None for side in sides):
        return False
    metrics = {metric: metric_of(metric)}
    drawn = [
        [each for each in samples(side, metrics) if each.number == (number or "value")]
        for side in sides
        if side is not None
    ]
    if any(not side for side in drawn) or drawn[0][0].n_clips != drawn[1][0].n_clips:
        return False
    comparison = compare_samples(drawn[0], drawn[1], Resampling(resamples))
    row = comparison.differences.get(metric, {}).get(number or "value")
    return row is not None and row.low > 0
