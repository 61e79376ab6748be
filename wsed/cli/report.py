"""`wsed report`: one HTML page with the scores, charts and clips of runs or of any system's files."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from wsed.cli.arguments import parsed
from wsed.cli.types import read_labels, whole
from wsed.errors import WsedError

if TYPE_CHECKING:
    from wsed.report.html.shown import Shown
    from wsed.scoring.evaluate import Progress as EachOf

HELP = "write one HTML page with the scores, pictures and sounds of RUNs or of any system's files"
GROUP = "look"
T = TypeVar("T")

DESCRIPTION = """\
Write one HTML page that works offline: scores with intervals and what they mean, charts over classes and thresholds,
kinds of errors, learning curves, and a browser of clips with picture, events, score curves and sound.

Each SYSTEM is the folder of a run, or files as `wsed evaluate` reads them (with --reference). Several systems on the
same clips are shown side by side, with paired differences to the first and the clips on which they disagree."""

EXAMPLES = """\
examples:
  wsed report runs/exp/seed_0
  wsed report runs/mil/seed_0 runs/glu/seed_0 --out both.html
  wsed report predictions.tsv --reference validation.tsv --durations durations.tsv --audio audio/validation
  wsed report runs/exp/seed_0 --split validation --sounds 300
  wsed report runs/mil/seed_0 runs/glu/seed_0 --groups patient"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed report` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("systems", nargs="+", type=Path, metavar="SYSTEM", help="folder of a run, or files of a system")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="HTML",
        help="the page (default: report.html, in the folder of the run if there is one)",
    )
    parser.add_argument(
        "--split", choices=("test", "validation", "predict"), default="test", help="clips of a run (default: test)"
    )
    parser.add_argument("--reference", type=Path, metavar="TSV", help="true events (only for files of a system)")
    parser.add_argument(
        "--durations", type=Path, metavar="TSV", help="filename, duration of every clip (only for files)"
    )
    parser.add_argument("--audio", type=Path, metavar="DIR", help="folder of the sound files (only for files)")
    parser.add_argument(
        "--annotated",
        type=Path,
        metavar="TSV",
        help="filename, event_labels: the classes annotated in each clip (only for files)",
    )
    parser.add_argument(
        "--groups",
        metavar="FILE|NAME",
        help="draw whole groups of clips for intervals and differences: a table of filename and group; a column of the "
        "reference; or, for a run, a kind of group of its corpus, such as patient",
    )
    parser.add_argument(
        "--labels", metavar="NAMES", help="classes: a file with one per line, or names with commas (only for files)"
    )
    parser.add_argument("--threshold", type=float, metavar="T", help="threshold of F1 (only for files; default: 0.5)")
    parser.add_argument(
        "--pictures", type=whole(0), default=1000, metavar="N", help="clips with picture and curves (default: 1000)"
    )
    parser.add_argument("--sounds", type=whole(0), default=100, metavar="N", help="clips with sound (default: 100)")
    parser.add_argument(
        "--resamples",
        type=whole(0),
        default=1000,
        metavar="N",
        help="resamples of the bootstrap (default: 1000; 0: no intervals)",
    )


def main(arguments: Sequence[str]) -> int:
    """Write the page and return the exit status."""
    args = parsed("report", add_arguments, arguments)
    out = _place(args)
    from wsed.report.html.page import Contents, write_page
    from wsed.report.html.snr import NAME, read_snr, tables_of

    errors = Console(stderr=True, markup=False)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:

        def progress(items: Iterable[T], what: str) -> Iterable[T]:
            return bar.track(list(items), description=what)

        systems = [_shown(path, args, progress) for path in args.systems]
        beside = [args.reference.parent / NAME] if args.reference and (args.reference.parent / NAME).is_file() else []
        tables = [table for path in args.systems if _is_run(path) for table in tables_of(_settings(path))]
        contents = Contents(args.pictures, args.sounds, args.resamples)
        try:
            counts = write_page(out, systems, contents, read_snr({*tables, *beside}), progress)
        except OSError as error:
            raise WsedError(f"cannot write {out}: {error.strerror}; name another page with --out") from None
    for shown in systems:
        for note in shown.notes:
            errors.print(f"note: {note}", style="yellow", soft_wrap=True, markup=False, highlight=False)
    text = "{clips} clips, {pictures} with picture, {sounds} with sound".format(**counts)
    print(f"written: {out} ({text}; {counts['bytes'] / 1e6:.1f} MB)", file=sys.stderr)
    return 0


def _is_run(path: Path) -> bool:
    return path.is_dir() and (path / "config.yaml").is_file()


def _settings(path: Path) -> dict[str, object]:
    from wsed.run import RunFolder

    return dict(RunFolder.open(path).configuration())


def _shown(path: Path, args: argparse.Namespace, progress: "EachOf") -> "Shown":
    from wsed.report.html.of_files import Files, of_files
    from wsed.report.html.of_run import of_run
    from wsed.run import RunFolder

    if _is_run(path):
        return of_run(RunFolder.open(path), args.split, args.groups, args.resamples)
    if path.is_dir() and (seeds := RunFolder(path).seeds()):
        names = " ".join(str(seed.path) for seed in seeds[:3])
        raise WsedError(f"{path} holds {len(seeds)} runs: name those to show, such as {names}")
    labels = None if args.labels is None else read_labels(args.labels)
    files = Files(
        args.reference,
        args.durations,
        labels,
        args.audio,
        args.threshold,
        args.resamples,
        args.annotated,
        args.groups,
    )
    return of_files(path, files, progress)


def _place(args: argparse.Namespace) -> Path:
    """The path of the page; refuse one that cannot be written before anything is computed."""
    out: Path | None = args.out
    if out is None:
        alone = len(args.systems) == 1 and _is_run(args.systems[0])
        out = args.systems[0] / args.split / "report.html" if alone else Path("report.html")
    for path in args.systems:
        if not path.exists():
            raise WsedError(f"no such run or file: {path}")
    if not out.absolute().parent.is_dir() and args.out is not None:
        raise WsedError(f"no folder {out.absolute().parent} for {out}")
    if out.is_dir():
        raise WsedError(f"{out} is a folder: name a file, such as {out / 'report.html'}")
    return out
