"""Tables for papers: mean and deviation over seeds, or the interval of one run, in Markdown, LaTeX or CSV."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from wsed.literals import checked
from wsed.metrics.bootstrap import over_seeds
from wsed.study.compare import difference, known, paired
from wsed.study.table import markdown

Format = Literal["markdown", "latex", "csv"]
NAN = float("nan")


@dataclass(frozen=True)
class Cell:
    """A cell of a table, in the unit that is printed.

    Attributes:
        mean: mean over runs, or the value of one run; NaN if there is none.
        std: standard deviation over runs (n - 1); NaN for one run.
        low, high: interval of one run; NaN if there is none.
        runs: number of runs.
        digits: digits after the point.

    >>> str(Cell.of({"seed_0": 20.0, "seed_1": 40.0})), str(Cell(30.0, low=28.0, high=32.5)), str(Cell())
    ('30.0 ± 14.1', '30.0 [28.0, 32.5]', '-')
    >>> Cell(30.0, std=1.25).text("+-")
    '30.0 +- 1.2'
    """

    mean: float = NAN
    std: float = NAN
    low: float = NAN
    high: float = NAN
    runs: int = 1
    digits: int = 1

    @staticmethod
    def of(seeds: Mapping[str, float], digits: int = 1) -> "Cell":
        """The cell of a measure of several runs, by seed; values that are NaN are left out."""
        values = known(seeds.values())
        if not values:
            return Cell(runs=0, digits=digits)
        spread = over_seeds(values)
        return Cell(spread.mean, spread.std, runs=spread.runs, digits=digits)

    def __str__(self) -> str:
        return self.text("±")

    def text(self, plus_minus: str) -> str:
        """The cell as text."""
        if math.isnan(self.mean):
            return "-"
        text = f"{self.mean:.{self.digits}f}"
        if not math.isnan(self.std):
            return f"{text} {plus_minus} {self.std:.{self.digits}f}"
        if not math.isnan(self.low):
            return f"{text} [{self.low:.{self.digits}f}, {self.high:.{self.digits}f}]"
        return text


def surely_best(values: Mapping[str, Mapping[str, float]], level: float = 0.95) -> str | None:
    """The row that is better than each other row by the paired t test over the seeds that both have.

    Args:
        values: values of a column by row and seed; higher is better.
        level: level of the intervals, each of which must lie above 0.

    Returns:
        The row; None if there is only one row, or the test leaves open which is best.

    Raises:
        WsedError: scipy is not installed.

    >>> surely_best({"a": {"s0": 1.0, "s1": 2.0}, "b": {"s0": 3.0, "s1": 4.1}})
    'b'
    >>> surely_best({"a": {"s0": 1.0, "s1": 2.0}, "b": {"s0": 0.0, "s1": 4.1}}) is None
    True
    """
    means = {row: over_seeds(kept).mean for row, seeds in values.items() if (kept := known(seeds.values()))}
    if len(means) < 2:
        return None
    best = max(means, key=lambda row: means[row])
    others = [difference(known(paired(values[row], values[best])), level) for row in means if row != best]
    return best if all(other.n > 1 and other.low > 0 for other in others) else None


@checked
def paper_table(
    cells: Mapping[str, Mapping[str, Cell]],
    best: Mapping[str, str | None] | None = None,
    form: Format = "markdown",
    title: str = "system",
) -> str:
    """A table with a line per row and a column per measure.

    Args:
        cells: the cells by row and column; a missing cell is a dash.
        best: the row that is set in bold in each column; None: none.
        form: `markdown`, `latex` (with the package booktabs) or `csv` (numbers in columns of their own).
        title: title of the first column.

    >>> values = {"mil": {"s0": 20.0, "s1": 21.0, "s2": 20.5}, "glu": {"s0": 30.0, "s1": 31.5, "s2": 30.0}}
    >>> cells = {row: {"event F1": Cell.of(seeds)} for row, seeds in values.items()}
    >>> print(paper_table(cells, {"event F1": surely_best(values)}))
    | system | event F1 |
    |---|---|
    | mil | 20.5 ± 0.5 |
    | glu | **30.5 ± 0.9** |
    """
    columns = list(dict.fromkeys(name for row in cells.values() for name in row))
    bold = best or {}
    if form == "csv":
        return _csv(cells, columns, bold, title)
    latex = form == "latex"
    lines = []
    for row, of_row in cells.items():
        texts = [of_row.get(name, Cell()).text(r"$\pm$" if latex else "±") for name in columns]
        texts = [
            _bold(text, latex) if bold.get(name) == row else text for name, text in zip(columns, texts, strict=True)
        ]
        lines.append([_escaped(row, latex), *texts])
    head = [_escaped(name, latex) for name in (title, *columns)]
    return _latex(head, lines) if latex else markdown(head, lines)


def _bold(text: str, latex: bool) -> str:
    return rf"\textbf{{{text}}}" if latex else f"**{text}**"


LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
LATEX |= {letter: rf"\{letter}" for letter in "&%$#_{}"}


def _escaped(text: str, latex: bool) -> str:
    return "".join(LATEX.get(letter, letter) for letter in text) if latex else text.replace("|", r"\|")


def _latex(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [" & ".join(line) + r" \\" for line in (head, *lines)]
    start = rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}"
    return "\n".join([start, r"\toprule", rows[0], r"\midrule", *rows[1:], r"\bottomrule", r"\end{tabular}"])


def _csv(
    cells: Mapping[str, Mapping[str, Cell]], columns: Sequence[str], best: Mapping[str, str | None], title: str
) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    parts = ("mean", "std", "low", "high", "runs", "best")
    writer.writerow([title, *(f"{name} {part}" for name in columns for part in parts)])
    for row, of_row in cells.items():
        numbers: list[object] = []
        for name in columns:
            cell = of_row.get(name, Cell(runs=0))
            numbers += ["" if math.isnan(x) else f"{x:.6g}" for x in (cell.mean, cell.std, cell.low, cell.high)]
            numbers += [cell.runs, int(best.get(name) == row)]
        writer.writerow([row, *numbers])
    return text.getvalue().rstrip("\n")
