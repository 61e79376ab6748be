"""`wsed detect`: events in recordings of any length, as tables and for other programs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wsed.cli.arguments import parsed
from wsed.cli.process import importing
from wsed.cli.ranks import place
from wsed.cli.types import positive, read_labels, share, whole
from wsed.errors import WsedError, near
from wsed.files import locked

if TYPE_CHECKING:
    from wsed.formats.recording import Recording
    from wsed.inference.detector import Detector
    from wsed.inference.folder import Detection
    from wsed.inference.results import Results
    from wsed.inference.sources import Sound

HELP = "events in recordings of any length, as tables and for Audacity, Raven, Praat, Label Studio"
GROUP = "detect"
DESCRIPTION = """\
Detect events in sound files of any length, with a trained model: MODEL is a run's folder or a checkpoint.

Without --out the events of all recordings are printed as a table. With --out they are written into a folder in each
--format, and the same command continues a detection that was stopped. A file that cannot be read, or whose name a
table cannot hold (tabs, line breaks), is named and skipped; the exit status is then 1.

formats
  tsv, csv       one table: filename, onset, offset, event_label, confidence
  json           one file: recordings with their events
  audacity       a label track per recording
  raven          a selection table per recording, and one for all with cumulative times (open the files in its order)
  textgrid       a TextGrid of Praat per recording
  rttm           one file
  label-studio   one file of tasks with predictions
  scores         a table of frame scores per recording, as sed_scores_eval reads them
  pictures       a picture of scores and events per recording"""

EXAMPLES = """\
examples:
  wsed detect runs/mine/seed_0 recording.wav
  wsed detect runs/mine/seed_0 recordings/ --out detections --format tsv raven audacity
  wsed detect runs/mine/seed_0 "field/*.flac" --out detections --threshold 0.7 --classes Dog,Cat
  wsed detect runs/mine/seed_0,runs/mine/seed_1 recordings/ --out detections      scores of two models, averaged
  torchrun --nproc-per-node 4 -m wsed.cli.main detect runs/mine/seed_0 recordings/ --out detections      4 processes
  wsed detect runs/mine/seed_0 recordings/ --out detections --device cuda --batch 64      on a GPU"""

PRINTED = ("tsv", "csv", "json")
"""Formats that can be printed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed detect` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("model", metavar="MODEL", help="a run's folder or a checkpoint; several with commas: averaged")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="sound files, folders, or globs in quotes")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the results (default: print a table)")
    parser.add_argument("--format", nargs="+", default=["tsv"], metavar="NAME", help="one or several (default: tsv)")
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--threshold", type=share, metavar="T", help="threshold of all classes (default: the model's)")
    limit.add_argument("--precision", type=share, metavar="P", help="thresholds for this precision on validation clips")
    limit.add_argument("--recall", type=share, metavar="R", help="thresholds for this recall on validation clips")
    parser.add_argument(
        "--min-duration", type=positive, default=0.0, metavar="S", help="leave out shorter events, seconds"
    )
    parser.add_argument(
        "--classes", metavar="NAMES", help="report only these: a file with one per line, or names with commas"
    )
    parser.add_argument("--top", type=whole(1), metavar="N", help="the N most confident events of each recording")
    parser.add_argument("--channel", type=whole(1), metavar="N", help="which channel (default: the mean of all)")
    parser.add_argument("--window", type=positive, metavar="S", help="seconds of a window (default: as in training)")
    parser.add_argument(
        "--device", default="cpu", metavar="NAME", help="cuda, cuda:1, mps, ... (default: cpu); processes share GPUs"
    )
    parser.add_argument("--batch", type=whole(1), default=8, metavar="N", help="windows at once (default: 8)")


def main(arguments: Sequence[str]) -> int:
    """Detect, write or print, and return the exit status."""
    args = parsed("detect", add_arguments, arguments)
    formats = tuple(dict.fromkeys(args.format))
    if args.out is None and (len(formats) > 1 or formats[0] not in PRINTED):
        raise WsedError(f"--format {' '.join(formats)} writes files: name a folder with --out")
    rank, ranks = place()
    if args.out is None and ranks > 1:
        raise WsedError(f"{ranks} processes detect into one folder: name it with --out")
    from wsed.inference.sources import find, share

    sounds = find(args.paths)
    mine = share(sounds, rank, ranks)
    job = _job(args, formats)
    results = None if args.out is None else _results(args, job, rank)
    recordings, failed = _detect(job, mine, results)
    if ranks > 1 and results is not None:
        _give_all(results, sounds, mine, formats)
    else:
        _give(recordings, formats, args.out)
    for sound, error in failed:
        name = sound.name if sound.name.isprintable() else repr(sound.name)
        print(f"wsed: skipped {name}: {error}", file=sys.stderr)
    if failed:
        print(f"wsed: {len(failed)} of {len(mine)} files were skipped", file=sys.stderr)
    return 1 if failed else 0


def _job(args: argparse.Namespace, formats: tuple[str, ...]) -> "Detection":
    with importing():
        from wsed.decoding.base import replaced
        from wsed.inference.events import Chosen
        from wsed.inference.folder import Detection
        from wsed.inference.loading import load_all, move
        from wsed.ops.memory import keep_freed_memory

    keep_freed_memory()  # a tenth of the time of a long recording
    detector = load_all(args.model.split(","))
    move(detector.network, args.device)
    threshold = args.threshold
    if args.precision is not None or args.recall is not None:
        threshold = _thresholds(detector, args)
    if threshold is not None:
        detector.decoder = replaced(detector.decoder, {"threshold": threshold})
    if args.window is not None:
        detector.window = args.window
    detector.check()
    chosen = Chosen(_classes(args.classes, detector), args.top, args.min_duration)
    return Detection(detector, chosen, args.channel, args.batch, formats)


def _thresholds(detector: "Detector", args: argparse.Namespace) -> list[float]:
    """The threshold of each class for the wanted precision or recall.

    Raises:
        WsedError: the model was not calibrated, or there are several models.
    """
    if "," in args.model:
        raise WsedError("--precision and --recall need the calibration of one model: averaged scores have none")
    if detector.calibration is None:
        raise WsedError(
            f"{args.model} has no calibration, which --precision and --recall need: run `wsed validate "
            "--config CONFIG --ckpt-path best --evaluation.calibration isotonic`"
        )
    thresholds, notes = detector.calibration.thresholds(detector.decoder, detector.labels, args.precision, args.recall)
    for note in notes:
        print(f"wsed: {note}", file=sys.stderr)
    return thresholds


def _classes(text: str | None, detector: "Detector") -> frozenset[str] | None:
    """The names of `--classes`.

    Raises:
        WsedError: the model does not know one of them.
    """
    if text is None:
        return None
    names = read_labels(text, "--classes")
    for name in names:
        if name not in detector.labels.names:
            known = ", ".join(detector.labels)
            raise WsedError(f"--classes: the model has no class {name!r}{near(name, detector.labels)}; it has {known}")
    return frozenset(names)


def _results(args: argparse.Namespace, job: "Detection", rank: int) -> "Results":
    """The folder of `--out`, which must not hold events of another model or of other settings."""
    from wsed.inference.loading import identity
    from wsed.inference.results import Results

    chosen, calibration = job.chosen, job.detector.calibration
    settings = {
        "model": [identity(model) for model in args.model.split(",")],
        "decoder": job.detector.decoder.values(),
        "window": job.detector.window,
        "calibration": None if calibration is None else calibration.digest(),
        "classes": None if chosen.classes is None else sorted(chosen.classes),
        "top": chosen.top,
        "min-duration": chosen.min_duration,
        "channel": job.channel,
    }
    return Results(args.out, settings, rank)


def _detect(
    job: "Detection", sounds: "Sequence[Sound]", results: "Results | None"
) -> "tuple[list[Recording], list[tuple[Sound, WsedError]]]":
    """Detect events in each recording with a progress bar; returns them, and the files that could not be read."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from wsed.data.sound_files import size

    console = Console(stderr=True, markup=False)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn()
    recordings, failed = [], list[tuple["Sound", WsedError]]()
    sizes = {sound: size(sound.path) for sound in sounds}
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task, before = bar.add_task("detecting", total=max(sum(sizes.values()), 1)), 0
        outcomes = job.of(sounds, results, lambda sound, s: bar.update(task, description=f"{sound.name} {s:.0f} s"))
        for sound, each in zip(sounds, outcomes, strict=True):
            before += sizes[sound]
            bar.update(task, completed=before)
            if isinstance(each, WsedError):
                failed.append((sound, each))
            else:
                recordings.append(each)
    _note_rates(recordings, job.detector.network.sample_rate)
    return recordings, failed


def _note_rates(recordings: "Sequence[Recording]", wanted: int) -> None:
    """Warn once of recordings that lack the upper frequencies that the model was trained on."""
    low = [recording for recording in recordings if recording.sample_rate < wanted]
    if low:
        rate = low[0].sample_rate
        print(
            f"wsed: {len(low)} of {len(recordings)} files have a lower sample rate than the model's {wanted} Hz "
            f"(first: {low[0].name}, {rate} Hz): they hold nothing above {rate / 2:g} Hz, so expect worse detections",
            file=sys.stderr,
        )


def _give_all(results: "Results", sounds: "Sequence[Sound]", mine: "Sequence[Sound]", formats: Sequence[str]) -> None:
    """Write the events of all processes if this is the last one that ends."""
    with locked(results.folder / ".wsed-detect.lock"):
        recordings = results.of_all(sounds)
        if recordings is not None:
            _give(recordings, formats, results.folder)
            return
    print(f"{len(mine)} of {len(sounds)} recordings are done here; the last process writes the events", file=sys.stderr)


def _give(recordings: "Sequence[Recording]", formats: Sequence[str], out: Path | None) -> None:
    from wsed.inference.folder import write_formats

    if out is not None:
        for path in write_formats(out, formats, recordings):
            print(f"written: {path}", file=sys.stderr)
        return
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        (path,) = write_formats(Path(folder), formats, recordings)
        print(path.read_text(encoding="utf-8"), end="")
