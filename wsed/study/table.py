"""Tables in Markdown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from wsed.study.compare import spread

Run = TypeVar("Run")
Measures = Mapping[str, Callable[[Run], float]]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]] = ()) -> str:
    """A table in Markdown.

    >>> print(markdown(["row", "F1"], [["mil", "28.7"]]))
    | row | F1 |
    |---|---|
    | mil | 28.7 |
    """
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def rows_table(title: str, runs: Mapping[str, Sequence[Run]], measures: Measures[Run]) -> str:
    """A table with a line per row of a study and a column per measure: mean and standard deviation over the runs.

    Args:
        title: title of the first column.
        runs: runs of each row.
        measures: for each column, the function that computes the value of a run.

    >>> print(rows_table("%", {"mil": [0.2, 0.4]}, {"F1": lambda run: 100 * run}))
    | % | F1 |
    |---|---|
    | mil (2) | 30.0 +- 14.1 |
    """
    lines = (
        [f"{row} ({len(several)})", *(spread(measure(run) for run in several) for measure in measures.values())]
        for row, several in runs.items()
    )
    return markdown([title, *measures], lines)


def columns_table(title: str, runs: Mapping[str, Sequence[Run]], measures: Measures[Run]) -> str:
    """A table with a column per row of a study and a line per measure; arguments as in `rows_table`.

    >>> print(columns_table("%", {"mil": [0.2, 0.4]}, {"F1": lambda run: 100 * run}))
    | % | mil (2) |
    |---|---|
    | F1 | 30.0 +- 14.1 |
    """
    lines = (
        [name, *(spread(measure(run) for run in several) for several in runs.values())]
        for name, measure in measures.items()
    )
    return markdown([title, *(f"{row} ({len(several)})" for row, several in runs.items())], lines)
