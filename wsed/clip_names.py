"""`Names`: the names of millions of clips in one array."""

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

AT_ONCE = 65_536
"""Names that are strings at the same time, while all are read or written."""

SHOWN = 20


class Names(Sequence[str]):
    """Names of clips, stored as bytes of UTF-8 in one array: a string is made only when a name is read.

    They equal any sequence of the same names, but no string.

    >>> names = Names.of(["b.wav", "a.wav", "ä.wav"])
    >>> names, len(names), names[-1], names == ("b.wav", "a.wav", "ä.wav")
    (('b.wav', 'a.wav', 'ä.wav'), 3, 'ä.wav', True)
    >>> import torch
    >>> Names.cat([names[1:], names.take(torch.tensor([0]))])
    ('a.wav', 'ä.wav', 'b.wav')
    >>> names.sorted_once().tolist(), names.array().dtype.kind
    ([1, 0, 2], 'U')
    """

    def __init__(self, stored: np.ndarray) -> None:
        self.stored = stored

    @staticmethod
    def of(names: Iterable[str]) -> "Names":
        """Names from strings, from an array of strings, or as they are if they are `Names`."""
        if isinstance(names, Names):
            return names
        if isinstance(names, np.ndarray):
            parts = range(0, len(names), AT_ONCE)
            return Names.cat([Names.of(names[first : first + AT_ONCE].tolist()) for first in parts])
        return Names(np.array([name.encode("utf-8", "surrogatepass") for name in names], dtype=np.bytes_))

    @staticmethod
    def cat(parts: Sequence["Names"]) -> "Names":
        """The names of all parts, one part after the other."""
        return Names(np.concatenate([part.stored for part in parts]) if parts else np.zeros(0, dtype="S1"))

    def take(self, index: Int[Tensor, " chosen"]) -> "Names":
        """The names with these indices, in this order."""
        return Names(self.stored[index.numpy()])

    def sorted_once(self) -> NDArray[np.int64]:
        """The indices of the names in alphabetical order, each name once: where it comes last."""
        _, last = np.unique(self.stored[::-1], return_index=True)
        return np.asarray(len(self) - 1 - last, dtype=np.int64)

    def array(self) -> np.ndarray:
        """The names as an array of strings."""
        parts = [np.array(self._texts(first), dtype=np.str_) for first in range(0, len(self), AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros(0, dtype="U1")

    def _texts(self, first: int) -> list[str]:
        return [name.decode("utf-8", "surrogatepass") for name in self.stored[first : first + AT_ONCE].tolist()]

    def __len__(self) -> int:
        return len(self.stored)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "Names": ...
    def __getitem__(self, index: int | slice) -> "str | Names":
        if isinstance(index, slice):
            return Names(self.stored[index])
        return bytes(self.stored[index]).decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), AT_ONCE):
            yield from self._texts(first)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Names):
            return np.array_equal(self.stored, other.stored)
        if isinstance(other, str) or not isinstance(other, Sequence) or len(self) != len(other):
            return False
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        if len(self) <= SHOWN:
            return repr(tuple(self))
        return f"({', '.join(map(repr, self[:3]))}, ... of {len(self):,} names)"
