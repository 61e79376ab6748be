"""Types of arguments that several verbs take; each raises what argparse turns into a message."""

import argparse
from collections.abc import Callable
from pathlib import Path

from wsed.errors import WsedError


def whole(least: int) -> Callable[[str], int]:
    """A whole number of `least` or more.

    >>> whole(1)("12")
    12
    """

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of {least} or more")
        return int(text)

    return number


def positive(text: str) -> float:
    """A number above 0.

    >>> positive("0.5")
    0.5
    """
    value = _number(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def share(text: str) -> float:
    """A number from 0 to 1."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share (0 to 1)")
    return value


def is_kind(path: Path, check: Callable[[Path], bool]) -> bool:
    """Whether a path is a file or a folder; no if its name is too long, or it lies where nothing may be read.

    >>> is_kind(Path("x" * 5000), Path.is_file)
    False
    """
    try:
        return check(path)
    except OSError:
        return False


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def read_labels(text: str, flag: str = "--labels") -> list[str]:
    """Class names from a file with one per line, or from names with commas.

    Args:
        text: the file or the names.
        flag: the flag that was given, for messages.

    Raises:
        WsedError: there are no names, or the text looks like a file that does not exist.

    >>> read_labels("Dog, Cat")
    ['Dog', 'Cat']
    """
    from wsed.data.table import read_text
    from wsed.text import composed

    path = Path(text)
    is_file = is_kind(path, Path.is_file)
    has_folder = "," not in text and len(path.parts) > 1 and is_kind(path.parent, Path.is_dir)
    if not is_file and (path.suffix in (".txt", ".tsv", ".csv") or has_folder):
        raise WsedError(f"{flag}: no such file: {path}")
    names = read_text(path).splitlines() if is_file else composed(text).split(",")
    names = [name.strip() for name in names if name.strip()]
    if not names:
        raise WsedError(f"{flag} {text!r} names no class")
    return names
