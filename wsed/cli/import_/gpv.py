"""`wsed import gpv`: a detector of AudioSet's 527 classes from the weights of Dinkel et al. 2021."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wsed.cli.arguments import parsed

HELP = "a detector of 527 classes from weights that Dinkel et al. 2021 publish"
GROUP = "detect"
DESCRIPTION = """\
Make a model folder from a file of weights of the GPV models (Dinkel et al. 2021, "Voice activity detection in the
wild"; github.com/RicherMans/Datadriven-GPVAD) and a file with the names of its classes. Nothing is downloaded.

`wsed detect OUT recordings/` runs the model, `wsed.load(OUT)` loads it, and its encoder is `cdur`."""

EXAMPLES = """\
examples:
  wsed import gpv teacher2.pth labels.txt audioset_crnn
  wsed detect audioset_crnn recordings/ --classes Dog,Speech"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed import gpv` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("weights", type=Path, metavar="WEIGHTS", help="teacher1.pth or teacher2.pth")
    parser.add_argument("labels", type=Path, metavar="LABELS", help="names of the classes, one per line, in order")
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder that is written; it must not exist")


def main(arguments: Sequence[str]) -> int:
    """Import and return the exit status."""
    args = parsed("import gpv", add_arguments, arguments)
    from wsed.inference.export.hub import write_hub
    from wsed.inference.gpv import SOURCE, gpv_detector

    path = write_hub(gpv_detector(args.weights, args.labels), args.out, None, SOURCE)
    print(f"written: {path}", file=sys.stderr)
    return 0
