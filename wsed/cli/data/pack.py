"""`wsed data pack`: decode and resample a corpus once, into a few large files."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from wsed.cli.arguments import parsed
from wsed.cli.types import positive, whole
from wsed.data.packed.contents import CORPUS, Contents
from wsed.data.packed.pack import SHARD_MB, damaged, pack
from wsed.errors import WsedError, printable

HELP = "decode and resample a corpus once, into a few large files"
DESCRIPTION = """\
Read every sound file of a folder at one sample rate and store the samples as int16 in shards. A training then maps
the shards into memory and need not open, decode or resample files. All text files are copied into OUT/corpus, which
can be used in place of SOUNDS. Run the same command again to continue packing that was stopped, or after labels have
changed. Sound files that cannot be read are named and left out."""

EXAMPLES = """\
examples:
  wsed data pack data/desed packed/desed --sample-rate 16000
  wsed data pack --verify packed/desed                          check that nothing has changed

in the YAML of a training:
  data:
    corpus: {class_path: desed, init_args: {root: packed/desed/corpus}}
    reader: {class_path: packed, init_args: {folder: packed/desed}}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed data pack` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("source", type=Path, nargs="?", metavar="SOUNDS", help="folder of the sound files")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of the pack")
    parser.add_argument(
        "--sample-rate", type=whole(1), metavar="HZ", help="sample rate of the network (needed to pack)"
    )
    parser.add_argument(
        "--shard-mb", type=positive, default=SHARD_MB, metavar="MB", help=f"size of a shard (default: {SHARD_MB})"
    )
    parser.add_argument("--workers", type=whole(1), metavar="N", help="processes (default: one per core)")
    parser.add_argument("--overwrite", action="store_true", help="replace a pack of other files")
    parser.add_argument("--verify", action="store_true", help="check an existing pack: its checksums and names")


def main(arguments: Sequence[str]) -> int:
    """Pack with a progress bar and print a summary; 1 if files were left out or have changed, else 0.

    Raises:
        WsedError: there are no sound files, or the pack cannot be written or read.
    """
    args = parsed("data pack", add_arguments, arguments)
    console = Console(highlight=False, markup=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True, markup=False), transient=True) as bar:
        task = bar.add_task("shards", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        if args.verify:
            broken = damaged(args.out, progress)
        elif args.source is None or args.sample_rate is None:
            raise WsedError("give SOUNDS, OUT and --sample-rate: wsed data pack data/desed packed --sample-rate 16000")
        else:
            packed = pack(
                args.source,
                args.out,
                args.sample_rate,
                shard_mb=args.shard_mb,
                workers=args.workers,
                overwrite=args.overwrite,
                progress=progress,
            )
    if args.verify:
        for name in broken:
            console.print(f"{args.out / name} {_fault(args.out, name)} pack again", markup=False, soft_wrap=True)
        console.print("all checksums agree" if not broken else f"not as packed: {len(broken)}", markup=False)
        return 1 if broken else 0
    for reason in packed.refused:
        console.print(f"left out: {printable(reason)}", markup=False, soft_wrap=True)
    hours = packed.index.n_samples.sum() / args.sample_rate / 3600
    summary = f"{len(packed.index)} files, {hours:.2f} h at {args.sample_rate} Hz: {args.out}"
    if packed.rounded:
        summary += f"; {packed.rounded} rounded to 16 bits (resampled, of several channels, or of more bits)"
    if packed.clipped:
        summary += f"; {packed.clipped} limited to full scale"
    labels = len(Contents.read(args.out).labels)
    summary += f"; {labels} text files copied into {args.out / CORPUS}" if labels else "; no text files copied"
    console.print(summary, markup=False, soft_wrap=True)
    return 1 if packed.refused else 0


def _fault(pack: Path, name: str) -> str:
    if not (pack / name).exists():
        return "is missing:"
    return "differs from what was packed:" if name.startswith(f"{CORPUS}/") else "is damaged: remove it and"
