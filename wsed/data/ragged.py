"""`Ragged`: rows of different lengths in one tensor, such as the labels of millions of clips."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths; row `i` is `values[first[i] : first[i + 1]]`.

    >>> Ragged.lists([[3, 1], [], [2]]).lengths.tolist()
    [2, 0, 1]

    Attributes:
        values: the values of all rows, row after row: `[value]` or `[value dim]`.
        first: index of the first value of each row, and the number of values at the end: `[row + 1]`.
    """

    values: Tensor
    first: Int[Tensor, " border"]

    @staticmethod
    def of(values: Tensor, lengths: Int[Tensor, " row"]) -> "Ragged":
        """Rows with these lengths, whose values follow each other."""
        return Ragged(values, torch.nn.functional.pad(lengths.long().cumsum(0), (1, 0)))

    @staticmethod
    def lists(rows: Iterable[Sequence[int]]) -> "Ragged":
        """Rows from lists of integers."""
        rows = list(rows)
        values = torch.tensor([value for row in rows for value in row], dtype=torch.long)
        return Ragged.of(values, torch.tensor([len(row) for row in rows], dtype=torch.long))

    @staticmethod
    def texts(texts: Iterable[bytes]) -> "Ragged":
        """Rows from byte strings."""
        texts = list(texts)
        joined = torch.frombuffer(bytearray(b"".join(texts)) or bytearray(1), dtype=torch.uint8)
        lengths = torch.tensor([len(text) for text in texts], dtype=torch.long)
        return Ragged.of(joined[: int(lengths.sum())], lengths)

    def text(self, row: int) -> bytes:
        """A row as a byte string."""
        return bytes(self[row].numpy())

    def texts_of(self, rows: Int[Tensor, " taken"]) -> Iterator[bytes]:
        """These rows as byte strings, much faster than `text` for each; -1 is an empty one.

        >>> list(Ragged.texts([b"a.wav", b"b.wav"]).texts_of(torch.tensor([1, -1, 0])))
        [b'b.wav', b'', b'a.wav']
        """
        joined = self.values.numpy().tobytes()
        for first, last in zip(self.first[rows].tolist(), self.first[rows + 1].tolist(), strict=True):
            yield joined[first:last]

    @staticmethod
    def cat(parts: "Sequence[Ragged]") -> "Ragged":
        """The rows of all parts, one part after the other."""
        if len(parts) == 1:  # no copy of millions of rows
            return parts[0]
        return Ragged.of(torch.cat([p.values for p in parts]), torch.cat([p.lengths for p in parts]))

    @property
    def lengths(self) -> Int[Tensor, " row"]:
        """Number of values in each row."""
        return self.first.diff()

    @property
    def rows(self) -> Int[Tensor, " value"]:
        """The index of the row of each value."""
        return torch.repeat_interleave(torch.arange(len(self)), self.lengths)

    def __len__(self) -> int:
        return len(self.first) - 1

    def __getitem__(self, row: int) -> Tensor:
        return self.values[self.first[row] : self.first[row + 1]]

    def take(self, index: Int[Tensor, " taken"]) -> "Ragged":
        """The rows with these indices, in this order; -1 is the last row."""
        index = index % len(self)
        taken = Ragged.of(self.values[:0], self.lengths[index])
        shift = self.first[index] - taken.first[:-1]
        place = torch.arange(int(taken.first[-1])) + shift.repeat_interleave(taken.lengths)
        return Ragged(self.values[place], taken.first)

    def inverse(self, n: int) -> "Ragged":
        """For each value from 0 to `n - 1`, the indices of the rows that hold it: labels of clips to clips of labels.

        >>> Ragged.lists([[0, 1], [1]]).inverse(2)[1].tolist()
        [0, 1]
        """
        order = self.values.argsort(stable=True)
        return Ragged.of(self.rows[order], torch.bincount(self.values.long(), minlength=n))

    def one_hot(self, n: int) -> Float[Tensor, "row n"]:
        """A float32 table: 1 where a row holds the value of the column, from 0 to `n - 1`."""
        table = torch.zeros(len(self), n)
        table[self.rows, self.values.long()] = 1.0
        return table
