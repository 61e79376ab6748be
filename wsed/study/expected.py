"""The values that a paper prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wsed.errors import WsedError


@dataclass(frozen=True)
class Expected:
    """One value of a paper's table.

    Args:
        mean: in the unit of the table.
        std: over the paper's runs, where it is printed.
    """

    mean: float
    std: float | None = None

    @classmethod
    def read(cls, place: str, entry: object) -> "Expected":
        """From a recipe's entry, a number or `[mean, deviation]`.

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
    """The values of one row, by measure.

    Raises:
        WsedError: the entry is no mapping, or a value is not one.

    >>> read_expected("att", {"event_f1": 16.8})["event_f1"].mean
    16.8
    """
    if not isinstance(entry, Mapping):
        raise WsedError(f"{place}: the values of the paper are a mapping, not {entry!r}")
    return {str(name): Expected.read(f"{place}.{name}", value) for name, value in entry.items()}
