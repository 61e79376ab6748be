"""`wsed evaluate`: metrics of the output of any system, as a table, JSON and a picture."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from wsed.cli.arguments import parsed
from wsed.cli.process import importing
from wsed.cli.types import read_labels, whole
from wsed.errors import WsedError

HELP = "F1 of events, segments, intersections and tags, PSDS, intervals; compare two systems"
GROUP = "score"
if TYPE_CHECKING:
    from wsed.scoring.report import ComparedReports, Report
    from wsed.scoring.resampling import Comparison
    from wsed.scoring.seeds import SeedReports

PICTURES = (".png", ".pdf", ".svg")
DESCRIPTION = """\
Compute the metrics of the events that a system detected. The system need not be a network of wsed.

The reference is a table with the columns filename, onset, offset, event_label (seconds; tabs or commas).
Predictions are
  a table like it                        events at one threshold: F1 of events, segments, intersections and tags;
                                         with a column confidence or score also PSDS, mAP and AUROC
  a folder of such tables                one per threshold, the last number of the file name (pred_th_0.25.tsv): also
                                         PSDS from these operating points, mAP and AUROC
  a folder of score tables               one per clip, with onset, offset and a column per class, as in sed_scores_eval:
                                         PSDS over all thresholds, exact
  frame_scores.npz, or its folder        scores of a run of wsed, before its decoder: the same
  files of other programs                Audacity, Raven, TextGrid, RTTM, Label Studio, JSON of wsed detect: one for
                                         all, or a folder with one per recording; the reference too may be of these
Names of clips match with and without folders and suffixes of sound files.
Two predictions are compared on the same resamples of the clips.

A metric takes settings: --metrics event_f1:onset_collar=0.5,offset_collar=none segment_f1:length=0.1 psds2:alpha_ct=0
(`wsed list metric` names all metrics, docs/explanation/scoring.md their settings).

The averages have 95 % intervals of a bootstrap over clips. A class without reference has no score and is left out of
macro means. docs/explanation/scoring.md has the conventions for all special cases."""

EXAMPLES = """\
examples:
  wsed evaluate --reference validation.tsv --predictions events.tsv
  wsed evaluate --reference validation.tsv --predictions operating_points/ --durations durations.tsv --json scores.json
  wsed evaluate --reference validation.tsv --predictions ours/ theirs/ --durations durations.tsv --figure roc.png
  wsed evaluate --reference lungs.tsv --predictions events.tsv --groups patients.csv
  wsed evaluate --reference validation.tsv --predictions scores/ --durations durations.tsv --backend sed_scores_eval
  wsed evaluate --reference validation.tsv --predictions scores/ --curves curves
  wsed evaluate --reference test.tsv --predictions test_scores/ --threshold curves/best_event_f1.thresholds.tsv
  wsed evaluate --reference test.tsv --predictions seed_0.tsv seed_1.tsv seed_2.tsv --seeds"""


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
    parser.add_argument(
        "--seeds",
        action="store_true",
        help="the outputs are of one system, trained with different seeds: mean, deviation",
    )
    parser.add_argument("--durations", type=Path, metavar="TSV", help="filename, duration of every clip; PSDS needs it")
    parser.add_argument(
        "--labels",
        metavar="NAMES",
        help="the classes: a file with one per line, or names with commas (default: those of the reference)",
    )
    parser.add_argument(
        "--annotated",
        type=Path,
        metavar="TSV",
        help="filename, event_labels: the classes annotated in each clip, if they differ; filenames may hold *",
    )
    _add_scoring(parser)
    _add_bootstrap(parser)


def _add_scoring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--threshold",
        nargs="+",
        metavar="T",
        help="for F1: a number, Class=0.3 for some classes, or a table event_label, threshold (default: 0.5; all "
        "events if they have confidences)",
    )
    parser.add_argument(
        "--metrics",
        nargs="+",
        metavar="NAME",
        help="metrics to compute, such as onset_f1 segment_f1:length=0.5 (default: the usual ones; `wsed list metric` "
        "lists all)",
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all metrics, as fractions in [0, 1]")
    parser.add_argument(
        "--figure", type=Path, metavar="PNG", help="draw the F1 of each class, and PSD-ROCs if there is a PSDS"
    )
    parser.add_argument(
        "--curves",
        type=Path,
        metavar="FOLDER",
        help="write tables of F1, precision and recall over thresholds, and the best threshold of each class",
    )
    parser.add_argument(
        "--backend",
        choices=("native", "sed_scores_eval", "psds_eval"),
        default="native",
        help='code that computes the metrics: wsed (default), or another package (pip install "wsed[eval]")',
    )


def _add_bootstrap(parser: argparse.ArgumentParser) -> None:
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
    parser.add_argument(
        "--groups",
        metavar="FILE|COLUMN",
        help="draw whole groups of clips: a table of filename and group (patient, site, ...), a provenance.tsv of "
        "`wsed data synth`, or a column of the reference (default: each clip by itself)",
    )
    parser.add_argument("--seed", type=whole(0), default=0, help="seed of the bootstrap (default: 0)")


def main(arguments: Sequence[str]) -> int:
    """Compute, write and print the metrics, and return the exit status."""
    with importing():
        from wsed.scoring.evaluate import evaluate
        from wsed.scoring.formats.thresholds import read_thresholds
        from wsed.scoring.report import ComparedReports, Report
        from wsed.scoring.seeds import SeedReports

    args = parsed("evaluate", add_arguments, arguments)
    _check(args)
    errors = Console(stderr=True, markup=False)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        result = evaluate(
            args.reference,
            args.predictions,
            durations=args.durations,
            labels=None if args.labels is None else read_labels(args.labels),
            threshold=None if args.threshold is None else read_thresholds(args.threshold),
            annotated=args.annotated,
            seeds=args.seeds,
            backend=args.backend,
            resamples=args.resamples,
            method=args.interval,
            seed=args.seed,
            metrics=_metrics(args.metrics, args.curves is not None),
            groups=args.groups,
            progress=lambda items, what: bar.track(list(items), description=what),
        )
    reports = [result] if isinstance(result, Report) else list(_systems(result))
    if args.metrics is not None and args.backend == "native":
        _refuse_missing(args.metrics, reports)
    try:
        if args.json:
            result.write(args.json)
        if args.curves:
            _write_curves(args.curves, reports, errors)
        if args.figure:
            from wsed.report.pictures import evaluation

            evaluation(args.figure, [(_name(report), report) for report in reports])
            if not any(value.curves for report in reports for value in report.computed.values()):
                errors.print(f"{args.figure} shows F1 only: without a PSDS there is no PSD-ROC", markup=False)
    except OSError as error:
        raise WsedError(f"cannot write {error.filename}: {error.strerror}") from None
    if isinstance(result, SeedReports):
        _print_seeds(reports, errors)
    else:
        _print(reports, result.comparison if isinstance(result, ComparedReports) else None, errors)
    for path in filter(None, (args.json, args.figure)):
        print(f"written: {path}", file=sys.stderr)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse arguments that would fail only after the metrics are computed."""
    if len(args.predictions) > 2 and not args.seeds:
        raise WsedError(
            f"--predictions takes one system, or two to compare, not {len(args.predictions)}; "
            "for one system with several seeds add --seeds"
        )
    inputs = [p.absolute() for p in (args.reference, args.durations, *args.predictions) if p is not None]
    for path in filter(None, (args.json, args.figure)):
        if not path.absolute().parent.is_dir():
            raise WsedError(f"no folder {path.absolute().parent} for {path}")
        if path.is_dir() or path.absolute() in inputs:
            raise WsedError(f"{path} is {'a folder' if path.is_dir() else 'an input'}: name another file")
    if args.curves and (args.curves.is_file() or args.backend != "native"):
        what = "is a file: name a folder" if args.curves.is_file() else "needs the backend native"
        raise WsedError(f"--curves {args.curves} {what}")
    if args.figure and args.figure.suffix.lower() not in PICTURES:
        raise WsedError(f"--figure {args.figure}: name a file that ends in {', '.join(PICTURES)}")


NEEDS = {
    "psds": "durations (--durations) and confidences, operating points or frame scores",
    "thresholds": "frame scores, or operating points with their thresholds",
    "frame_scores": "frame scores",
    "clip_scores": "confidences, operating points or frame scores",
    "embeddings": "the embeddings of a network, which no file of predictions has",
}
"""What predictions must have for a metric, see `System.provides`."""


def _refuse_missing(names: Sequence[str], reports: "Sequence[Report]") -> None:
    """Refuse metrics that were named and cannot be computed."""
    from wsed.metrics.chosen import metric_of

    for report in reports:
        missing = [name for name in names if report.metrics.get(name) is None]
        needs = {name: [NEEDS[part] for part in NEEDS if part in metric_of(name).needs] for name in missing}
        why = [f"{name} needs {', and '.join(parts)}" for name, parts in needs.items()]
        if why:
            raise WsedError(f"{_name(report)} lacks what was asked for: {'; '.join(why)}")


def _metrics(names: Sequence[str] | None, curves: bool) -> list[str] | None:
    """The names of metrics, with those that search the best thresholds of the F1 metrics among them for `curves`."""
    from wsed.metrics.base import default_metrics
    from wsed.metrics.chosen import metric_of

    if not curves:
        return None if names is None else list(names)
    every = list(default_metrics() if names is None else names)
    for name in every:
        metric_of(name)  # an unknown one is refused by its own name
    searched = [f"best_{name}" for name in every if name.partition(":")[0] in COUNTED]
    return list(dict.fromkeys([*every, *searched]))


COUNTED = ("event_f1", "segment_f1", "intersection_f1", "tagging_f1")
"""Metrics with a counterpart `best_...`, their best value over thresholds."""


def _systems(result: "ComparedReports | SeedReports") -> "Sequence[Report]":
    from wsed.scoring.seeds import SeedReports

    return result.seeds if isinstance(result, SeedReports) else result.systems


def _write_curves(folder: Path, reports: "Sequence[Report]", errors: Console) -> None:
    """Write the curves of each system; of several, in a folder each, by their order."""
    from wsed.scoring.formats.curves import write_curves

    for number, report in enumerate(reports, 1):
        place = folder if len(reports) == 1 else folder / str(number)
        if not write_curves(place, report):
            errors.print(f"{_name(report)} has events at one threshold: there are no curves", markup=False)


def _name(report: "Report") -> str:
    return report.input.predictions if report.input else ""


def _print_notes(reports: "Sequence[Report]", errors: Console) -> None:
    """Print each note once."""
    from wsed.report.tables import print_notes

    every = [note for report in reports if report.input for note in report.input.notes]
    print_notes(errors, list(dict.fromkeys(every)))


def _print_seeds(reports: "Sequence[Report]", errors: Console) -> None:
    from wsed.report.tables import seeds_table

    console = Console(markup=False)
    width = console.width if console.is_terminal else 1000
    _print_notes(reports, errors)
    table = seeds_table({_name(report): report for report in reports}, width)
    Console(width=width, markup=False).print(table, highlight=False)


def _print(reports: "Sequence[Report]", comparison: "Comparison | None", errors: Console) -> None:
    from wsed.report.tables import comparison_table, full_width, score_table

    console = Console(markup=False)
    width = console.width
    if not console.is_terminal:  # a file or a pipe: nothing is cut
        width = full_width(reports[0])
        console = Console(width=max(80, width), markup=False)
    _print_notes(reports, errors)
    for report in reports:
        console.print(f"{_name(report)}: {report.clips} clips", soft_wrap=True, markup=False, highlight=False)
        console.print(score_table(report, width), highlight=False)
    if comparison is not None:
        first, second = map(_name, reports)
        console.print(f"\nfirst: {first}\nsecond: {second}", soft_wrap=True, markup=False, highlight=False)
        console.print(comparison_table(comparison), highlight=False)
