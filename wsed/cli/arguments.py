"""Arguments of the verbs that are not trainings, read by argparse."""

import argparse
from collections.abc import Callable, Sequence

from wsed.cli.flags import hyphens


def parsed(
    name: str, add_arguments: Callable[[argparse.ArgumentParser], None], args: Sequence[str], settings: bool = False
) -> argparse.Namespace:
    """The arguments of a verb, read by argparse.

    Args:
        name: of the verb, for messages.
        add_arguments: adds the verb's arguments to a parser.
        args: as typed; flags may have underscores for hyphens.
        settings: keep unknown arguments in `settings` of the result, instead of refusing them.
    """
    parser = argparse.ArgumentParser(prog=f"wsed {name}", allow_abbrev=False)
    add_arguments(parser)
    typed = hyphens(args)
    if not settings:
        return parser.parse_args(typed)
    known, known_not = parser.parse_known_args(typed)
    known.settings = known_not
    return known
