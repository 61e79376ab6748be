"""What `fit`, `validate`, `test` and `predict` do: find mistakes in the YAML files, then import torch and go on."""

from collections.abc import Sequence

from wsed.cli.early import check_files
from wsed.cli.process import importing


def run_verb(verb: str, args: Sequence[str]) -> int:
    """Run a verb of Lightning's trainer and return the exit status.

    Args:
        verb: its name, such as `fit`.
        args: its arguments.

    Raises:
        WsedError: a file or a setting is wrong.
    """
    with importing():
        check_files(args)
        from wsed.cli.training import run  # imports torch and Lightning: seconds

    return run([verb, *args])
