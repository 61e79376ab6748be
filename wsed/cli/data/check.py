"""`wsed data check`: examine a corpus before training on it."""

import argparse
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from wsed.build import build
from wsed.cli.arguments import parsed
from wsed.cli.types import positive, read_labels, share, whole
from wsed.data.corpus.base import Corpus
from wsed.data.doctor.check import check
from wsed.data.findings import CorpusReport, Finding, TableStats
from wsed.errors import WsedError, printable
from wsed.files import write_text
from wsed.text import read_yaml

HELP = "examine a corpus before training on it"
DESCRIPTION = """\
Check every clip and every row of a corpus for defects that would stop a training or make its scores wrong. ROOT is the
YAML of a training with data.corpus; a folder in the layout of DESED, or with the published lists of AudioSet or DCASE
2017 task 4; or a folder of recordings with their tables.

errors    defects that stop a training or falsify scores: unreadable, truncated and NaN clips, malformed rows, unknown
          labels, events outside their clip, more clips missing than max_missing, the same sound in train and validation
warnings  defects to look at: silent, clipped, short, duplicate clips, other sample rates, repeated rows
notes     files that no table lists

The exit status is 0 if there are no errors, 1 if there are, 2 if the corpus cannot be read."""

EXAMPLES = """\
examples:
  wsed data check data/desed
  wsed data check birds.yaml                                                the corpus of a training
  wsed data check data/desed --quick                                        headers only: seconds, not minutes
  wsed data check data/desed --tables train/weak validation/validation      what you train on
  wsed data check data/audioset --quick --tables eval_segments.csv          lists of clips cut from videos
  wsed data check data/desed --json report.json                             every finding, for other programs"""

SECONDS = 10.0
"""Expected duration of a clip, in seconds, if the user gives none."""

STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed data check` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("root", type=Path, metavar="ROOT", help="folder of a corpus, or the YAML of a training")
    parser.add_argument(
        "--tables", nargs="+", metavar="TABLE", help="tables to check, such as train/weak (default: all)"
    )
    parser.add_argument(
        "--labels",
        metavar="NAMES",
        help="the classes: a file with one per line, or names with commas "
        "(default: ROOT/metadata/labels.txt; else those of the training tables)",
    )
    parser.add_argument(
        "--sample-rate",
        type=whole(1),
        metavar="HZ",
        help="expected sample rate of clips (default: the most common one)",
    )
    parser.add_argument(
        "--duration",
        type=positive,
        metavar="S",
        help=f"expected duration of clips, seconds (default: as in the YAML, or {SECONDS:g})",
    )
    parser.add_argument(
        "--max-missing",
        type=share,
        metavar="SHARE",
        help="share of a table's clips that may be missing (default: as in training, 0.05; 1 in AudioSet, DCASE 2017)",
    )
    parser.add_argument("--quick", action="store_true", help="read headers only, without decoding")
    parser.add_argument("--workers", type=whole(1), metavar="N", help="threads (default: one per core, at most 8)")
    parser.add_argument(
        "--show", type=whole(1), default=5, metavar="N", help="findings shown of each kind (default: 5)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every finding and figure to this file")


def main(arguments: Sequence[str]) -> int:
    """Examine the corpus and print the findings; 0 if it is fit for training, 1 if not.

    Raises:
        WsedError: there is no such corpus, table or label file, or the JSON file cannot be written.
    """
    args = parsed("data check", add_arguments, arguments)
    labels = read_labels(args.labels) if args.labels is not None else None
    is_training = args.root.suffix in (".yaml", ".yml")
    root, seconds, most = of_training(args.root) if is_training else (args.root, SECONDS, None)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, markup=False), transient=True) as bar:
        task = bar.add_task("headers" if args.quick else "clips", total=None)
        report = check(
            root,
            labels=labels,
            sample_rate=args.sample_rate,
            duration=args.duration or seconds,
            workers=args.workers,
            quick=args.quick,
            tables=args.tables,
            max_missing=most if args.max_missing is None else args.max_missing,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if args.json is not None:
        _write_json(report, args.json)
    # A pipe has no width: wide enough that no table wraps.
    console = Console(highlight=False, markup=False)
    show(report, console if console.is_terminal else Console(highlight=False, markup=False, width=120), args.show)
    return 0 if report.ok else 1


def of_training(path: Path) -> tuple[Corpus, float, float | None]:
    """The corpus in the YAML of a training, the seconds that are read of each clip, and the share that may be missing.

    Raises:
        WsedError: the file is not YAML, names no corpus, or the corpus cannot be built.
    """
    from wsed.cli.names import expand

    config = expand(read_yaml(path))
    data = config.get("data") if isinstance(config, dict) else None
    data = data if isinstance(data, dict) else {}
    corpus = build(Corpus, data.get("corpus"))
    if not isinstance(corpus, Corpus):
        raise WsedError(f"{path} has no data.corpus; add it, or give the folder of a corpus")
    windows = data.get("windows")
    seconds = windows.get("length") if isinstance(windows, dict) else data.get("duration")
    most = data.get("max_missing")
    return (
        corpus,
        float(seconds) if isinstance(seconds, int | float) else SECONDS,
        float(most) if isinstance(most, int | float) else None,
    )


def show(report: CorpusReport, console: Console, n_shown: int = 5) -> None:
    """Print the tables of a report, the first findings of each kind, and the verdict."""
    for stats in report.tables:
        _show_table(stats, console)
    for (severity, name), group in groupby(report.findings, key=lambda f: (f.severity, f.check)):
        findings = list(group)
        console.print(f"{severity} {name}: {len(findings)}", style=STYLES[severity], markup=False, soft_wrap=True)
        for finding in findings[:n_shown]:
            console.print(printable(_line(finding)), markup=False, soft_wrap=True)
        if len(findings) > n_shown:
            console.print(f"  and {len(findings) - n_shown} more (see --json, or --show {len(findings)})", markup=False)
    counts = ", ".join(f"{n} {name}{'s' if n != 1 else ''}" for name, n in report.counts.items())
    verdict = "fit for training" if report.ok else "not fit for training"
    looked = " (headers only: run without --quick before training)" if report.quick else ""
    style = "bold green" if report.ok else "bold red"
    console.print(f"{report.root}: {verdict}; {counts}{looked}", style=style, markup=False, soft_wrap=True)


def _line(finding: Finding) -> str:
    return f"  {finding.where}: {finding.message}" if finding.where else f"  {finding.message}"


def _show_table(stats: TableStats, console: Console) -> None:
    head = f"{stats.table} ({stats.kind}): {stats.clips} clips, {stats.readable} readable, {stats.seconds / 3600:.2f} h"
    console.print(head, style="bold", markup=False, soft_wrap=True)
    if not stats.classes:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("  class", no_wrap=True)
    timed = stats.kind == "strong"
    for column in ("clips", "events", "total s", "median s") if timed else ("clips",):
        table.add_column(column, justify="right")
    for name, of in stats.classes.items():
        times = (str(of.events), f"{of.total_seconds:.1f}", f"{of.median_seconds:.2f}") if timed else ()
        table.add_row(f"  {printable(name)}".replace("[", r"\["), str(of.clips), *times)
    console.print(table)


def _write_json(report: CorpusReport, path: Path) -> None:
    try:
        write_text(path, json.dumps(report.as_dict(), indent=1) + "\n")  # ASCII: names of files may not be UTF-8
    except OSError as error:
        raise WsedError(f"cannot write --json {path}: {error.strerror}") from None
