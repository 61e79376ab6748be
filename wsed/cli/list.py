"""`wsed list`: list the components of a kind, one per line."""

import argparse
import inspect
from collections.abc import Iterator, Sequence

from wsed.cli.arguments import parsed
from wsed.errors import WsedError
from wsed.registry import HOMES, registry

HELP = "list the components of a KIND (loss, encoder, head, ...) by their names in YAML"
GROUP = "look"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed list` to a parser."""
    parser.description = f"List the components of a kind: {', '.join(HOMES)}."
    parser.add_argument("kind", metavar="KIND", help=", ".join(HOMES))


def main(args: Sequence[str]) -> int:
    """Print a line per component and return the exit status.

    >>> main(["network"])  # doctest: +ELLIPSIS
    composed      ...
    """
    print("\n".join(described(parsed("list", add_arguments, args).kind)))
    return 0


def described(kind: str) -> Iterator[str]:
    """Name and first line of the docstring of each component of a kind.

    Raises:
        WsedError: there is no such kind.
    """
    components = registry(kind)
    names = components.names()
    for name in names:
        try:
            text = inspect.getdoc(components[name]) or ""
        except WsedError as error:  # a plugin that cannot be loaded
            text = str(error)
        yield f"{name:{max(map(len, names)) + 2}}{text.partition(chr(10))[0]}".rstrip()
