"""`wsed test`: score a checkpoint on the test clips; see `wsed.cli.training`."""

from collections.abc import Sequence

from wsed.cli.trainer_verb import run_verb

HELP = "score a checkpoint on the test clips"
GROUP = "train"


def main(args: Sequence[str]) -> int:
    """Run the verb and return the exit status."""
    return run_verb("test", args)
