"""What all pictures share: names as they are, and files that are whole or not there."""

from pathlib import Path

from matplotlib.figure import Figure

from wsed.files import write_whole


def literal(text: str) -> str:
    r"""A name with escaped dollars, since matplotlib reads text between dollars as a formula.

    >>> print(literal("take $1_$2.wav"))
    take \$1_\$2.wav
    """
    return text.replace("$", r"\$")


def save(figure: Figure, path: str | Path) -> None:
    """Write a picture; after a kill the file is whole, or as it was."""
    with write_whole(path) as part:
        figure.savefig(part, dpi=110)
