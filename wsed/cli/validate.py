"""`wsed validate`: score a checkpoint on the validation clips; see `wsed.cli.training`."""

from collections.abc import Sequence

from wsed.cli.trainer_verb import run_verb

HELP = "score a checkpoint on the validation clips"
GROUP = "train"


def main(args: Sequence[str]) -> int:
    """Run the verb and return the exit status."""
    return run_verb("validate", args)
