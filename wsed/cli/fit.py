"""`wsed fit`: train a network; see `wsed.cli.training`."""

from collections.abc import Sequence

from wsed.cli.training import run

HELP = "train, then test the best checkpoint"
GROUP = "train"


def main(args: Sequence[str]) -> int:
    """Run the verb and return the exit status."""
    return run(["fit", *args])
