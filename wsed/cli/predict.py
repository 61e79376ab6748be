"""`wsed predict`: write the events of clips; see `wsed.cli.training`."""

from collections.abc import Sequence

from wsed.cli.trainer_verb import run_verb

HELP = "write the detected events of clips"
GROUP = "train"


def main(args: Sequence[str]) -> int:
    """Run the verb and return the exit status."""
    return run_verb("predict", args)
