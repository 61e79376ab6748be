"""The one error that is shown to a user without a traceback, and what its messages have in common."""

from collections.abc import Iterable, Mapping


class WsedError(ValueError):
    """A mistake in what the user gave (a file, a row, a setting).

    The message names the file, row or setting at fault and how to mend it. The command line prints it
    and exits with status 2; in Python it is an ordinary `ValueError`.
    """


def near(name: str, known: Iterable[str]) -> str:
    """` (did you mean mil?)` where a known name resembles `name`, else nothing.

    >>> near("mill", ["mil", "plat"])
    ' (did you mean mil?)'
    """
    from difflib import get_close_matches

    similar = get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" (did you mean {' or '.join(similar)}?)" if similar else ""


def check_option(owner: str, option: str, value: object, known: Iterable[object]) -> None:
    """Raise a `WsedError` with the known values, and near ones, if `value` is none of them."""
    choices = list(known)
    if value not in choices:
        names = [str(choice) for choice in choices]
        raise WsedError(f"{owner}: unknown {option} {value!r}{near(str(value), names)}; known: {', '.join(names)}")


def check_options(owner: str, known: Mapping[str, Iterable[object]], **chosen: object) -> None:
    """`check_option` for several options, each by its name in `known`."""
    for option, value in chosen.items():
        check_option(owner, option, value, known[option])


def printable(text: str) -> str:
    r"""The text with control characters written out, so that a name in a file cannot steer a terminal.

    >>> print(printable("Dog\x1b[2J"))
    Dog\x1b[2J
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)
