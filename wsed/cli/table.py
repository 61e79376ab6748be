"""`wsed table`: a table of runs for a paper, in Markdown, LaTeX or CSV."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wsed.cli.arguments import parsed
from wsed.cli.types import whole
from wsed.errors import WsedError

if TYPE_CHECKING:
    from wsed.metrics.system import System
    from wsed.run import RunFolder

HELP = "write a table of RUNs for a paper, in Markdown, LaTeX or CSV"
GROUP = "look"

DESCRIPTION = """\
Write a table with a line per run. A folder of several seeds is one line: mean and standard deviation (n - 1). A single
run has the bootstrap interval over clips of its report. F1 is in per cent.

The best number of a column is bold only where a paired test says that it is better than each other: over seeds (t test,
seeds that both have) or, for single runs, over clips (bootstrap). The level is 95 % for each pair."""

EXAMPLES = """\
examples:
  wsed table runs/mil runs/glu
  wsed table runs/mil runs/glu --format latex --names MIL "MIL and GLU" --out table.tex
  wsed table runs/mil/seed_0 runs/glu/seed_0 --metrics event_f1/macro event_f1/micro psds1"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed table` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run, or of its seeds")
    parser.add_argument("--format", choices=("markdown", "latex", "csv"), default="markdown", help="default: markdown")
    parser.add_argument("--metrics", nargs="+", metavar="NAME", help="columns, such as event_f1/macro psds1")
    parser.add_argument("--names", nargs="+", metavar="NAME", help="names of the lines (default: the folders)")
    parser.add_argument("--split", choices=("test", "validation"), default="test", help="clips (default: test)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table to a file")
    parser.add_argument(
        "--resamples",
        type=whole(0),
        default=1000,
        metavar="N",
        help="resamples of the paired test of single runs (0: no bold)",
    )


def main(arguments: Sequence[str]) -> int:
    """Print or write the table and return the exit status."""
    args = parsed("table", add_arguments, arguments)
    from wsed.files import write_text
    from wsed.study.paper import paper_table
    from wsed.study.run_tables import RunsOfRow, best_rows, columns_of, header

    names = args.names or [str(path) for path in args.runs]
    if len(names) != len(args.runs) or len(set(names)) != len(names):
        raise WsedError(f"{len(args.runs)} runs need as many different names, not {', '.join(names)}")
    rows = [RunsOfRow.read(path, args.split, name) for path, name in zip(args.runs, names, strict=True)]
    columns = columns_of(rows, args.metrics)
    single = all(len(row.runs) == 1 for row in rows)
    best = {}
    if args.resamples or not single:
        best = best_rows(rows, columns, lambda run: _system(run, args.split), args.resamples)
    cells = {row.name: {header(column): row.cell(column) for column in columns} for row in rows}
    text = paper_table(cells, {header(column): name for column, name in best.items()}, args.format, "system")
    if args.out is None:
        print(text)
        return 0
    try:
        write_text(args.out, text + "\n")
    except OSError as error:
        raise WsedError(f"cannot write {args.out}: {error.strerror}") from None
    print(f"written: {args.out}", file=sys.stderr)
    return 0


def _system(run: "RunFolder", split: str) -> "System | None":
    """The scores and the truth of a run; None, with a note, if they no longer exist."""
    from wsed.report.html.of_run import of_run

    try:
        system = of_run(run, "validation" if split == "validation" else "test").system
    except WsedError as error:
        print(f"note: no paired test with {run.path}: {error}", file=sys.stderr)
        return None
    if system is None:
        print(f"note: no paired test with {run.path}: its clips are not where they were", file=sys.stderr)
    return system
