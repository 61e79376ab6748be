"""`wsed evaluate`: metrics of the output of any system, as a table, JSON and a picture."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from wsed.cli.arguments import parsed
from wsed.cli.types import read_labels, whole
from wsed.errors import WsedError

HELP = "F1 of events, segments, intersections and tags, PSDS, intervals; compare two systems"
GROUP = "score"
if TYPE_CHECKING:
    from wsed.scoring.report import Report
    from wsed.scoring.resampling import Comparison

PICTURES = (".png", ".pdf", ".svg")
DESCRIPTION = """\
Compute the metrics of the events that a system detected. The system need not be a network of wsed.

The reference is a table with the columns filename, onset, offset, event_label (seconds; tabs or commas).
Predictions are
  a table like it                        events at one threshold: F1 of events, segments, intersections and tags;
                                         with a column confidence or score also PSDS, mAP and its kin
  a folder of such tables                one a threshold, the last number of the file name (pred_th_0.25.tsv): also
                                         PSDS from these operating points, and mAP and its kin
  a folder of score tables               one a clip, columns onset, offset and one a class, as sed_scores_eval writes
                                         them: PSDS over all thresholds, exact
  files of other programs                Audacity, Raven, TextGrid, RTTM, Label Studio, JSON of wsed detect: one for
                                         all, or a folder with one per recording; the reference too may be of these
Names of clips match with and without folders and suffixes of sound files.
Two predictions are compared on the same resamples of the clips.

Below the averages stand 95 % intervals of a bootstrap over clips. A class without reference has no score and is left
out of macro means. The conventions for all odd cases are in docs/explanation/scoring.md."""

EXAMPLES = """\
examples:
  wsed evaluate --reference validation.tsv --predictions events.tsv
  wsed evaluate --reference validation.tsv --predictions operating_points/ --durations durations.tsv --json scores.json
  wsed evaluate --reference validation.tsv --predictions ours/ theirs/ --durations durations.tsv --figure roc.png
  wsed evaluate --reference validation.tsv --predictions scores/ --durations durations.tsv --backend sed_scores_eval"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed evaluate` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("--reference", type=Path, required=True, metavar="TSV", help="true events")
    parser.add_argument(
        "--predictions",
        type=Path,
        required=True,
        nargs="+",
        metavar="PRED",
        help="output of a system; two outputs are compared",
    )
    parser.add_argument("--durations", type=Path, metavar="TSV", help="filename, duration of every clip; PSDS needs it")
    parser.add_argument(
        "--labels",
        metavar="NAMES",
        help="the classes: a file with one a line, or names with commas (default: those of the reference)",
    )
    parser.add_argument(
        "--threshold", type=float, metavar="T", help="for F1 (default: 0.5; all events where they have confidences)"
    )
    parser.add_argument(
        "--metrics",
        nargs="+",
        metavar="NAME",
        help="metrics to compute, such as onset_f1 psds1 (default: the usual ones; `wsed list metric` lists all)",
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all metrics, as fractions in [0, 1]")
    parser.add_argument(
        "--figure", type=Path, metavar="PNG", help="draw the F1 of each class, and PSD-ROCs if there is a PSDS"
    )
    parser.add_argument(
        "--backend",
        choices=("native", "sed_scores_eval", "psds_eval"),
        default="native",
        help='code that computes the metrics: wsed (default), or another package (pip install "wsed[eval]")',
    )
    parser.add_argument(
        "--resamples",
        type=whole(0),
        default=1000,
        metavar="N",
        help="number of resamples of the bootstrap (default: 1000; 0: no intervals)",
    )
    parser.add_argument(
        "--interval",
        choices=("centred", "percentile", "bca"),
        default="centred",
        help="kind of interval (default: centred percentiles)",
    )
    parser.add_argument("--seed", type=whole(0), default=0, help="seed of the bootstrap (default: 0)")


def main(arguments: Sequence[str]) -> int:
    """Compute, write and print the metrics, and return the exit status."""
    from wsed.scoring.evaluate import evaluate
    from wsed.scoring.report import ComparedReports

    args = parsed("evaluate", add_arguments, arguments)
    _check(args)
    errors = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        result = evaluate(
            args.reference,
            args.predictions,
            durations=args.durations,
            labels=None if args.labels is None else read_labels(args.labels),
            threshold=args.threshold,
            backend=args.backend,
            resamples=args.resamples,
            method=args.interval,
            seed=args.seed,
            metrics=args.metrics,
            progress=lambda items, what: bar.track(list(items), description=what),
        )
    reports = list(result.systems) if isinstance(result, ComparedReports) else [result]
    try:
        if args.json:
            result.write(args.json)
        if args.figure:
            from wsed.report.pictures import evaluation

            evaluation(args.figure, [(_name(report), report) for report in reports])
            if not any(value.curves for report in reports for value in report.computed.values()):
                errors.print(f"{args.figure} shows F1 only: without a PSDS there is no PSD-ROC", markup=False)
    except OSError as error:
        raise WsedError(f"cannot write {error.filename}: {error.strerror}") from None
    _print(reports, result.comparison if isinstance(result, ComparedReports) else None, errors)
    for path in filter(None, (args.json, args.figure)):
        print(f"written: {path}", file=sys.stderr)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse arguments that would fail only after the metrics are computed."""
    if len(args.predictions) > 2:
        raise WsedError(f"--predictions takes one system, or two to compare, not {len(args.predictions)}")
    inputs = [p.absolute() for p in (args.reference, args.durations, *args.predictions) if p is not None]
    for path in filter(None, (args.json, args.figure)):
        if not path.absolute().parent.is_dir():
            raise WsedError(f"no folder {path.absolute().parent} for {path}")
        if path.is_dir() or path.absolute() in inputs:
            raise WsedError(f"{path} is {'a folder' if path.is_dir() else 'an input'}: name another file")
    if args.figure and args.figure.suffix.lower() not in PICTURES:
        raise WsedError(f"--figure {args.figure}: name a file that ends in {', '.join(PICTURES)}")


def _name(report: "Report") -> str:
    return report.input.predictions if report.input else ""


def _print(reports: "Sequence[Report]", comparison: "Comparison | None", errors: Console) -> None:
    from wsed.report.tables import comparison_table, full_width, print_notes, score_table

    console = Console()
    width = console.width
    if not console.is_terminal:  # a file or a pipe: nothing is cut
        width = full_width(reports[0])
        console = Console(width=max(80, width))
    shown: list[str] = []
    for report in reports:
        notes = report.input.notes if report.input else ()
        print_notes(errors, [note for note in notes if note not in shown])
        shown += notes
        console.print(f"{_name(report)}: {report.clips} clips", soft_wrap=True, markup=False, highlight=False)
        console.print(score_table(report, width), highlight=False)
    if comparison is not None:
        first, second = map(_name, reports)
        console.print(f"\nfirst: {first}\nsecond: {second}", soft_wrap=True, markup=False, highlight=False)
        console.print(comparison_table(comparison), highlight=False)
