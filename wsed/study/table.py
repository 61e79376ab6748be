"""Tables in Markdown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from wsed.errors import WsedError
from wsed.registry import near
from wsed.study.claims import Claim, judge
from wsed.study.compare import difference, paired, spread

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


def differences_table(
    title: str,
    values: Mapping[str, Mapping[str, Mapping[str, float]]],
    pairs: Iterable[tuple[str, str]],
    columns: Sequence[str],
) -> str:
    """A table with a line per pair of rows: the difference second minus first, for the seeds that both have.

    Pairs without a common seed are left out.

    Args:
        title: title of the first column.
        values: values by row, column and seed.
        pairs: pairs of a first and a second row.
        columns: the columns.

    >>> values = {"mil": {"F1": {"seed_0": 28.0}}, "glu": {"F1": {"seed_0": 24.0}}}
    >>> print(differences_table("points", values, [("mil", "glu")], ["F1"]))
    | points | F1 |
    |---|---|
    | glu - mil (1) | -4.0 |
    """
    lines = []
    for first, second in pairs:
        both = [(values.get(first, {}).get(name, {}), values.get(second, {}).get(name, {})) for name in columns]
        if both and (shared := both[0][0].keys() & both[0][1].keys()):
            cells = [str(difference(paired(*each))) for each in both]
            lines.append([f"{second} - {first} ({len(shared)})", *cells])
    return markdown([title, *columns], lines)


def claims_table(claims: Iterable[Claim], values: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """A line per claim: the difference of its rows, what is expected, and the verdict.

    Claims whose rows share no seed are left out.

    Args:
        claims: of a recipe.
        values: values in points, by measure, then by row, then by seed.

    Raises:
        WsedError: a claim is about a measure that has no values.

    >>> claim = Claim("MIL helps", "fsl", "mil", "event_f1", "above")
    >>> runs = {"fsl": {"seed_0": 7.0, "seed_1": 8.0}, "mil": {"seed_0": 27.0, "seed_1": 29.0}}
    >>> print(claims_table([claim], {"event_f1": runs}))
    | claim | rows (shared seeds) | measure | points | expected | verdict |
    |---|---|---|---|---|---|
    | MIL helps | mil - fsl (2) | event_f1 | +20.5 [+14.1, +26.9] | above | holds |
    """
    lines = []
    for claim in claims:
        if claim.measure not in values:
            raise WsedError(f"claim {claim.name!r}: no measure {claim.measure!r}{near(claim.measure, values)}")
        judged = judge(claim, values[claim.measure])
        if judged.difference.n:
            rows = f"{claim.second} - {claim.first} ({judged.difference.n})"
            lines.append([claim.name, rows, claim.measure, str(judged.difference), claim.expect, judged.verdict])
    return markdown(["claim", "rows (shared seeds)", "measure", "points", "expected", "verdict"], lines)
