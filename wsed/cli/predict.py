"""`wsed predict`: write the events of clips; see `wsed.cli.training`."""

from collections.abc import Sequence

from wsed.cli.early import check_files
from wsed.cli.process import importing

HELP = "write the detected events of clips"
GROUP = "train"


def main(args: Sequence[str]) -> int:
    """Run the verb and return the exit status."""
    with importing():
        check_files(args)
        from wsed.cli.training import run  # imports torch and Lightning: seconds

    return run(["predict", *args])
