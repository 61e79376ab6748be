"""`wsed predict`: write the events of clips; see `wsed.cli.training`."""

from collections.abc import Sequence

from wsed.cli.training import run

HELP = "write the detected events of clips"
GROUP = "train"


def main(args: Sequence[str]) -> int:
    """Run the verb and return the exit status."""
    return run(["predict", *args])
