"""`WsedError`, the one error that users see without a traceback, and helpers for its messages."""

from collections.abc import Iterable


class WsedError(ValueError):
    """A mistake in a file, a row or a setting of the user.

    The message names the file, row or setting that is wrong and says how to fix it. The command line prints the message
    and exits with status 2. In Python it is an ordinary `ValueError`.
    """


def near(name: str, known: Iterable[str]) -> str:
    """A hint such as ` (did you mean mil?)` if a known name resembles `name`; otherwise an empty string.

    >>> near("mill", ["mil", "plat"])
    ' (did you mean mil?)'
    """
    from difflib import get_close_matches

    similar = get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" (did you mean {' or '.join(similar)}?)" if similar else ""


def with_article(noun: str) -> str:
    """A noun with `a` or `an` in front.

    >>> with_article("encoder"), with_article("head")
    ('an encoder', 'a head')
    """
    return f"{'an' if noun[0] in 'aeio' else 'a'} {noun}"


def check_option(owner: str, option: str, value: object, known: Iterable[object]) -> None:
    """Raise a `WsedError` that lists the known values if `value` is not one of them.

    >>> check_option("loss mil", "pooling", "mean", ["mean", "max"])
    """
    choices = list(known)
    if value not in choices:
        names = [str(choice) for choice in choices]
        raise WsedError(f"{owner}: unknown {option} {value!r}{near(str(value), names)}; known: {', '.join(names)}")


def printable(text: str) -> str:
    r"""The text with control characters written out, so that a name in a file cannot send commands to a terminal.

    >>> print(printable("Dog\x1b[2J"))
    Dog\x1b[2J
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)
