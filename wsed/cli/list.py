"""`wsed list`: list the components of a kind, one per line."""

import argparse
import inspect
import sys
from collections.abc import Iterator, Sequence
from shutil import get_terminal_size

from wsed.cli.arguments import parsed
from wsed.errors import WsedError
from wsed.registry import HOMES, registry

HELP = "list the components of a KIND (loss, encoder, head, ...) by their names in YAML"
GROUP = "look"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed list` to a parser."""
    parser.description = f"List the components of a kind: {', '.join(HOMES)}."
    parser.add_argument("kind", nargs="?", metavar="KIND", help=f"{', '.join(HOMES)} (default: all names of each)")


def main(args: Sequence[str]) -> int:
    """Print a line per component and return the exit status.

    >>> main(["network"])  # doctest: +ELLIPSIS
    composed      ...
    """
    kind = parsed("list", add_arguments, args).kind
    lines = names_of_kinds() if kind is None else described(kind)
    for line in lines:
        print(fitting(line) if kind is not None and sys.stdout.isatty() else line)
    return 0


def fitting(line: str) -> str:
    """The line, cut to the width of the terminal.

    >>> fitting("short")
    'short'
    """
    width = get_terminal_size().columns
    return line if len(line) <= width else f"{line[: width - 3].rstrip()}..."


def names_of_kinds() -> Iterator[str]:
    """Each kind of component with the names of all components of it."""
    width = max(map(len, HOMES)) + 2
    for kind in HOMES:
        yield f"{kind:{width}}{', '.join(registry(kind).names())}"


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
