"""`wsed fit`: train a network; see `wsed.cli.training`."""

from collections.abc import Sequence

from wsed.cli.trainer_verb import run_verb

HELP = "train a network, then score the best checkpoint on the test clips"
GROUP = "train"


def main(args: Sequence[str]) -> int:
    """Run the verb and return the exit status."""
    return run_verb("fit", args)
