"""`wsed new`: from a folder of recordings to the YAML of a training."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from wsed.cli.arguments import parsed
from wsed.errors import WsedError
from wsed.files import write_text

HELP = "look at a folder of recordings and write the YAML of a training on it"
GROUP = "train"
DESCRIPTION = """\
Look at a folder of recordings and write a short YAML that trains a detector on them on this machine.

Labels are taken from tables of tags or events (CSV, TSV), from label files beside the recordings (Audacity, Raven,
TextGrid) or from folders named by class. Splits are taken from a column named split (train, validation, test), or drawn
so that no group of a column such as patient or site is divided. The YAML has a reason for each setting."""

EXAMPLES = """\
examples:
  wsed new recordings/
  wsed new recordings/ --labels tags.csv
  wsed new recordings/ --labels annotations/ --out birds.yaml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed new` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of the recordings, at any depth")
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="PATH",
        help="table of tags or events, or folder of label files (default: searched in FOLDER)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the YAML (default: the name of FOLDER, in this folder)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing YAML")


def main(args: Sequence[str]) -> int:
    """Write the YAML and print the two commands to run; returns the exit status.

    Raises:
        WsedError: the YAML exists, or the folder cannot be understood.
    """
    arguments = parsed("new", add_arguments, args)
    from wsed.cli.new_config import config_of
    from wsed.data.corpus.folder.material import look

    out = arguments.out or Path(f"{arguments.folder.resolve().name}.yaml")
    if out.exists() and not arguments.overwrite:
        raise WsedError(f"{out} exists; choose another --out, or pass --overwrite")
    if not out.parent.is_dir():
        raise WsedError(f"--out {out}: no such folder: {out.parent}")
    if arguments.labels is not None and not arguments.labels.exists():
        raise WsedError(f"no such table or folder of labels: {arguments.labels}; correct --labels")
    material = look(arguments.folder, arguments.labels)
    write_text(out, config_of(material, out))
    parts = ", ".join(f"{n} {split}" for split, n in material.splits.items())
    median, _, longest = material.seconds
    print(f"{parts} files of {median:.1f} s (longest {longest:.1f} s) at {material.sample_rate} Hz")
    print(f"classes: {', '.join(material.classes)}")
    for note in material.notes:
        print(note)
    if material.rare:
        print(f"left out, too rare for every split: {', '.join(material.rare)}")
    if material.unreadable:
        print(f"{material.unreadable} files cannot be read: see wsed data check {shlex.quote(str(out))}")
    print(f"wrote {out}; now run\n")
    print(f"  wsed fit --config {shlex.quote(str(out))}")
    print(f"  wsed detect {shlex.quote(f'runs/{out.stem}/seed_0')} RECORDINGS")
    return 0
