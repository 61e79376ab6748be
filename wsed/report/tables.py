"""Tables of reports for a terminal, in per cent."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from wsed.metrics.base import METRICS, Number, ordered, title_of
from wsed.metrics.bootstrap import over_seeds
from wsed.metrics.chosen import metric_of
from wsed.metrics.f1 import or_dash, percent
from wsed.scoring.report import Report
from wsed.scoring.resampling import Comparison, Range

NARROWEST = 13
"""Least width of the column of class names, in characters."""
AVERAGES = ("macro", "micro")
TOO_GOOD = "the decoder was tuned on these clips: the scores are too good"


def score_table(report: Report, width: int = 80) -> RenderableType:
    """The table of a report: a row per class, averages with intervals, then PSDS, tagging, and facts of the evaluation.

    Classes are sorted by their first F1, the best first.

    Args:
        report: the report.
        width: width of the terminal; the PSDS of classes, the decimals of intervals, the ends of long names and the
            last F1 metrics are dropped, in this order, if there is no room.
    """
    kinds, singles = f1_names(report), single_names(report)
    if not kinds:  # for example, only embeddings
        return Group(*_lines(report, singles, []))
    columns, n_kinds = _fitting(report, kinds, width)
    padding = 2 if _needed(columns, 2) <= width else 1
    room = max(width - _needed(columns[1:], padding) - padding, NARROWEST)
    table = Table(box=None, padding=(0, padding, 0, 0), pad_edge=False, header_style="bold underline")
    table.add_column("class", no_wrap=True, max_width=room, overflow="ellipsis")
    for header, *_ in columns[1:]:
        table.add_column(header, justify="right", no_wrap=True)
    n_classes = len(columns[0]) - 1 - len(AVERAGES)
    for i, row in enumerate(zip(*(cells for _, *cells in columns), strict=True)):
        table.add_row(Text(row[0]), *row[1:], style="bold" if i >= n_classes else "")
    return Group(table, *_lines(report, singles, kinds[n_kinds:]))


def _fitting(report: Report, kinds: Sequence[str], width: int) -> tuple[list[list[str]], int]:
    """The columns that fit, and how many of the F1 metrics are among them."""
    by_class = [name for name in single_names(report) if report.computed[name].per_class]
    choices = [_columns(report, kinds, by_class), _columns(report, kinds, []), _columns(report, kinds, [], 0)]
    for columns in choices:
        if _needed(columns, 1) <= width:
            return columns, len(kinds)
    for n_kinds in range(len(kinds), 1, -1):  # names of classes are cut
        columns = _columns(report, kinds[:n_kinds], [], 0)
        if _needed(columns[1:], 1) + 1 + NARROWEST <= width:
            return columns, n_kinds
    return _columns(report, kinds[:1], [], 0), 1


def _columns(report: Report, kinds: Sequence[str], by_class: Sequence[str], decimals: int = 1) -> list[list[str]]:
    """The header and the cells of each column; the names of classes and averages come first."""
    values = report.computed
    first = values[kinds[0]].per_class if kinds else {}
    classes = sorted(first, key=lambda label: -np.nan_to_num(first[label]["f1"], nan=-1.0))
    columns = [["class", *classes, *AVERAGES]]
    for name in kinds:
        cells = [percent(values[name].per_class[label]["f1"]) for label in classes]
        for average in AVERAGES:
            cells.append(_with_range(values[name].numbers[average], _range(report, name, average), decimals))
        columns.append([_header(name), *cells])
    for name in by_class:
        cells = [or_dash(values[name].per_class[label]["value"], ".3f") for label in classes if kinds]
        columns.append([title_of(name), *cells, *[""] * len(AVERAGES)])
    total = _count(values[kinds[0]].numbers) if kinds else ""
    return [*columns, ["ref.", *(_count(first[label]) for label in classes), *[total] * len(AVERAGES)]]


def _needed(columns: Sequence[Sequence[str]], padding: int) -> int:
    """The width of columns in which nothing is cut."""
    return sum(max(len(line) for cell in column for line in cell.split("\n")) + padding for column in columns) - padding


def full_width(report: Report) -> int:
    """The width at which no class name is cut and no line is wrapped."""
    by_class = [name for name in single_names(report) if report.computed[name].per_class]
    return max(_needed(_columns(report, f1_names(report), by_class), 2), 80)


def seeds_table(runs: Mapping[str, Report], width: int = 80) -> RenderableType:
    """The table of several seeds: mean and standard deviation (n - 1) per class, the averages, the best seed, PSDS.

    Args:
        runs: the report of each seed, by its name.
        width: width of the terminal.
    """
    reports = list(runs.values())
    kinds = [name for name in f1_names(reports[0]) if all(name in report.computed for report in reports)]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold underline")
    table.add_column("class", no_wrap=True, max_width=max(width - 14 * len(kinds) - 2, 13), overflow="ellipsis")
    for name in kinds:
        table.add_column(_header(name), justify="right", no_wrap=True)
    rows = []
    for label in reports[0].computed[kinds[0]].per_class if kinds else ():
        values = [[r.value(f"{name}/per_class/{label}/f1") for r in reports] for name in kinds]
        rows.append((float(np.nan_to_num(values[0], nan=-1.0).mean()), label, [_spread(each) for each in values]))
    for _, label, cells in sorted(rows, key=lambda row: -row[0]):
        table.add_row(Text(label), *cells)
    for average in AVERAGES:
        table.add_row(average, *(_spread([r.value(f"{n}/{average}") for r in reports]) for n in kinds), style="bold")
    best = (max(np.nan_to_num([report.value(name) for report in reports])) for name in kinds)
    table.add_row("best, macro", *map(percent, best))
    lines = []
    for name in single_names(reports[0]):
        if all(name in report.computed for report in reports):
            result = over_seeds(report.value(name) for report in reports)
            spread = f" +- {result.std:.3f}" if len(runs) > 1 else ""
            lines.append(Text(f"{title_of(name)} {result.mean:.3f}{spread}"))
    lines.append(Text(f"mean +- standard deviation over {len(runs)} runs"))
    if too_good := [name for name, report in runs.items() if report.run and report.run.tuned_on_these_clips]:
        lines.append(Text(f"{TOO_GOOD} ({', '.join(too_good)})", style="bold red"))
    return Group(table, *lines)


def comparison_table(comparison: Comparison) -> Table:
    """The table of a comparison: second minus first, with interval and p value; F1 in per cent, PSDS as a fraction."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold underline")
    table.add_column(f"paired, {comparison.how.resamples} resamples", no_wrap=True)
    for header in ("first", "second", "difference", f"{comparison.how.level:.0%} interval", "p"):
        table.add_column(header, justify="right", no_wrap=True)
    for metric, rows in comparison.differences.items():
        for number, row in rows.items():
            single = number == "value"
            name = (metric if single else f"{metric} {number}").replace("_", " ")
            sides = (or_dash(x, ".3f") if single else percent(x) for x in (row.first, row.second))
            difference, low, high = (
                or_dash(x, "+.4f") if single else or_dash(100 * x, "+.1f") for x in (row.difference, row.low, row.high)
            )
            table.add_row(name, *sides, difference, f"{low} to {high}", or_dash(row.p, ".3f"))
    return table


def print_notes(console: Console, notes: Sequence[str]) -> None:
    """Print the notes about the input."""
    for note in notes:
        console.print(f"note: {note}", style="yellow", soft_wrap=True, markup=False, highlight=False)


def f1_names(report: Report) -> list[str]:
    """The metrics that have an F1 per class, in the order of tables."""
    return ordered([name for name, value in report.computed.items() if value.per_class and not value.is_single])


def single_names(report: Report) -> list[str]:
    """The metrics that are one value, such as PSDS, in the order of tables."""
    return ordered([name for name, value in report.computed.items() if value.is_single])


def _lines(report: Report, singles: Sequence[str], without_column: Sequence[str]) -> Iterator[RenderableType]:
    """The lines below the table; `without_column` are the F1 metrics that the table has no room for."""
    values = report.computed
    for name in without_column:
        parts = [f"{average} {percent(values[name].numbers[average])}" for average in AVERAGES]
        yield Text(f"{title_of(name)}: {', '.join(parts)}")
    if singles:
        parts = [f"{title_of(name)} {_single(report, name)}" for name in singles]
        points = report.input.operating_points if report.input else None
        yield Text(", ".join(parts) + (f", {len(points)} operating points" if points else ", all thresholds"))
    if report.input and report.input.kind != "events" and report.input.threshold is not None:
        where = "operating point" if report.input.kind == "operating points" else "threshold"
        at = report.input.threshold
        yield Text(f"F1 at one {where} per class" if isinstance(at, Mapping) else f"F1 at the {where} {at:g}")
    for name in reversed(ordered(list(values))):  # tags, then events
        line = metric_of(name).line(values[name]) if name.partition(":")[0] in METRICS else None
        if line is not None:
            yield Text(f"{title_of(name)}: {line}" if ":" in name else line)
    backend = report.input.backend if report.input else "native"
    if backend != "native":
        yield Text(f"computed by {backend}", style="bold")
    yield from _about_intervals(report, backend)
    if report.run and (tuned := report.run.tuned):
        yield Text(f"decoder tuned on the {tuned['split']} set: {', '.join(tuned['values'])}")
    if report.run and report.run.tuned_on_these_clips:
        yield Text(TOO_GOOD, style="bold red")


def _about_intervals(report: Report, backend: str) -> Iterator[RenderableType]:
    """How the intervals were made, and which metrics have none."""
    if report.intervals is None or not report.intervals.ranges:  # one clip has none
        return
    how = report.intervals.how
    kind = "BCa" if how.method == "bca" else how.method
    own = "wsed's own " if backend != "native" else ""
    drawn = f"{report.intervals.groups} groups of clips" if report.intervals.groups else "the clips"
    yield Text(f"intervals: {own}{how.level:.0%} {kind} bootstrap, {how.resamples} resamples of {drawn}")
    # the best F1 over thresholds, piPSDS and others that search over all clips have none
    if bare := [title_of(name) for name in ordered(list(report.computed)) if name not in report.intervals.ranges]:
        yield Text(f"no intervals of: {', '.join(bare)}")


def _header(name: str) -> str:
    return title_of(name).replace(" ", "\n").replace("intersection", "intersec.")


def _count(numbers: Mapping[str, Number]) -> str:
    return f"{numbers['n_ref']:.0f}" if "n_ref" in numbers else ""


def _spread(values: Sequence[Number]) -> str:
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return "-"
    result = over_seeds(known)
    return f"{100 * result.mean:.1f} +- {100 * result.std:.1f}" if len(known) > 1 else f"{100 * result.mean:.1f}"


def _range(report: Report, metric: str, number: str) -> Range | None:
    limits = report.intervals.of(metric, number) if report.intervals else None
    return limits if limits and np.isfinite(limits.low) else None


def _single(report: Report, name: str) -> str:
    value, limits = f"{report.value(name):.4f}", _range(report, name, "value")
    return value if limits is None else f"{value} ({limits.low:.3f}-{limits.high:.3f})"


def _with_range(value: Number, limits: Range | None, decimals: int) -> str:
    if limits is None or not np.isfinite(value):
        return percent(value)
    return f"{100 * value:.1f}\n{100 * limits.low:.{decimals}f}-{100 * limits.high:.{decimals}f}"


def runs_table(names: Sequence[str], head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table with a line per run or experiment.

    Args:
        names: names of the lines.
        head: titles of the columns.
        rows: cells of each line.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold underline")
    table.add_column("run", overflow="fold")
    for title in head:
        table.add_column(title, justify="right", no_wrap=True)
    for name, cells in zip(names, rows, strict=True):
        table.add_row(Text(name), *cells)
    return table
