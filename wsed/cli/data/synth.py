"""`wsed data synth`: make a corpus of synthetic soundscapes from a soundbank."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from wsed.cli.arguments import parsed
from wsed.cli.types import whole
from wsed.data.synth.recipe_files import packaged
from wsed.data.synth.settings import SPLITS
from wsed.data.synth.soundscape import Summary, synthesise
from wsed.errors import near

HELP = "make a corpus of soundscapes from recordings of single sounds"
DESCRIPTION = """\
Mix isolated sounds over backgrounds into clips with known events, in the layout of DESED.

The same recipe, soundbank and seed make the same corpus with any number of workers.
Run the same command again to continue a run that was stopped."""

EXAMPLES = """\
examples:
  wsed data synth --out data/toy --clips train=300 validation=60 eval=60
        no download: sounds made by formula
  wsed data synth --soundbank ../shared/data/soundbank --out data/domestic
        DESED-like clips from your own sounds
  wsed data synth --soundbank my/sounds --out data/mine --recipe my_recipe.yaml --seed 1

a soundbank is a folder:
  foreground/SPLIT/CLASS/*.wav|flac|ogg|mp3     one sound per file; SPLIT is train, validation or eval
  background/SPLIT/*.wav|flac|ogg|mp3           without events of any class"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed data synth` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the corpus")
    parser.add_argument(
        "--soundbank",
        default="builtin",
        metavar="DIR",
        help="folder of a soundbank; 'builtin' (default) for sounds made by formula",
    )
    parser.add_argument(
        "--recipe",
        default="domestic",
        metavar="NAME",
        help=f"{', '.join(packaged())}, or a YAML file (default: domestic)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random draws (default: 0)")
    parser.add_argument(
        "--clips",
        type=_split_count,
        nargs="+",
        action="extend",
        default=[],
        metavar="SPLIT=N",
        help="number of clips of train, validation, eval (default: those of the recipe)",
    )
    parser.add_argument("--workers", type=whole(1), metavar="N", help="processes (default: one per core)")
    parser.add_argument("--overwrite", action="store_true", help="replace a corpus with other settings")


def main(arguments: Sequence[str]) -> int:
    """Make the corpus with a progress bar, print a summary and return the exit status.

    Raises:
        WsedError: the recipe, soundbank or folder cannot be used.
    """
    args = parsed("data synth", add_arguments, arguments)
    console = Console(markup=False)
    times = (MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), *times, console=console, transient=True
    ) as bar:
        task = bar.add_task("examining the soundbank", total=None)
        summary = synthesise(
            args.out,
            soundbank=args.soundbank,
            recipe=args.recipe,
            seed=args.seed,
            clips=dict(args.clips),
            workers=args.workers,
            overwrite=args.overwrite,
            progress=lambda done, total: bar.update(task, description="clips", completed=done, total=total),
        )
    show(summary, console)
    return 0


def show(summary: Summary, console: Console) -> None:
    """Print the summary of a corpus by split: clips, hours, and events of each class (and their recordings)."""
    splits = [split for split in SPLITS if split in summary.clips]
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for split in splits:
        table.add_column(split, justify="right")
    table.add_row("clips", *(str(summary.clips[s]) for s in splits))
    table.add_row("hours", *(f"{summary.hours[s]:.2f}" for s in splits))
    both = {s: (summary.events[s], summary.recordings[s]) for s in splits}
    table.add_row("events (recordings)", *(f"{sum(e.values())} ({sum(r.values())})" for e, r in both.values()))
    for label in summary.labels:
        table.add_row(f"  {label}", *(f"{e.get(label, 0)} ({r.get(label, 0)})" for e, r in both.values()))
    console.print(table)
    there = sum(summary.clips.values()) - summary.made
    console.print(
        f"{summary.made} clips made{f', {there} existed before' if there else ''}: {summary.out}", soft_wrap=True
    )


def _split_count(text: str) -> tuple[str, int]:
    split, _, count = text.partition("=")
    if split not in SPLITS:
        raise argparse.ArgumentTypeError(f"no split {split!r}{near(split, SPLITS)}; write for example train=100")
    if not count.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} lacks a number of clips; write for example {split}=100")
    return split, int(count)
