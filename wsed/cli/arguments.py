"""The command-line arguments of verbs that do not train."""

import argparse
from collections.abc import Callable, Sequence

from wsed.cli.flags import hyphens


def parsed(
    name: str, add_arguments: Callable[[argparse.ArgumentParser], None], args: Sequence[str], settings: bool = False
) -> argparse.Namespace:
    """Parse the arguments of a verb.

    Args:
        name: name of the verb, for messages.
        add_arguments: function that adds the arguments of the verb to a parser.
        args: the arguments as typed; flags may have underscores instead of hyphens.
        settings: whether to collect unknown arguments in the attribute `settings` of the result, or to refuse them.

    >>> parsed("show", lambda parser: parser.add_argument("--max-missing"), ["--max_missing", "0.1"]).max_missing
    '0.1'
    """
    parser = argparse.ArgumentParser(prog=f"wsed {name}", allow_abbrev=False)
    add_arguments(parser)
    typed = hyphens(args)
    if not settings:
        return parser.parse_args(typed)
    known, unknown = parser.parse_known_args(typed)
    known.settings = unknown
    return known
