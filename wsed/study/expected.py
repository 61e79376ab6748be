"""The values in the tables of a paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wsed.errors import WsedError


@dataclass(frozen=True)
class Expected:
    """A value in a table of a paper.

    Args:
        mean: the value, in the unit of the table.
        std: standard deviation over the runs of the paper; None if it is not printed.

    >>> str(Expected(28.9))
    '28.9'
    """

    mean: float
    std: float | None = None

    @classmethod
    def read(cls, place: str, entry: object) -> "Expected":
        """Read a value from a recipe: a number or `[mean, deviation]`.

        Raises:
            WsedError: it is neither.

        >>> str(Expected.read("mil", [28.9, 1.95]))
        '28.9 +- 1.9'
        """
        numbers = entry if isinstance(entry, Sequence) and not isinstance(entry, str) else [entry]
        if len(numbers) not in (1, 2) or not all(isinstance(n, int | float) for n in numbers):
            raise WsedError(f"{place}: a value of the paper is a number or [mean, deviation], not {entry!r}")
        return cls(*map(float, numbers))

    def __str__(self) -> str:
        return f"{self.mean:.1f}" + (f" +- {self.std:.1f}" if self.std is not None else "")


def read_expected(place: str, entry: object) -> dict[str, Expected]:
    """Read the values of a row, by measure.

    Raises:
        WsedError: the entry is not a mapping, or one of its values is malformed.

    >>> read_expected("att", {"event_f1": 16.8})["event_f1"].mean
    16.8
    """
    if not isinstance(entry, Mapping):
        raise WsedError(f"{place}: the values of the paper are a mapping, not {entry!r}")
    return {str(name): Expected.read(f"{place}.{name}", value) for name, value in entry.items()}
