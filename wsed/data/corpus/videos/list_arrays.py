"""AudioSet's lists by array operations on their bytes: two million rows in seconds, and in little memory.

Rows must look as they are published, `--PJHxphWEs, 30.000, 40.000, "/m/09x0r,/t/dd00088"`; any other raises
`IrregularError`, and `wsed.data.corpus.videos.lists` reads the list row by row to say what is wrong with it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]
Bytes = NDArray[np.uint8]

CHUNK = 1 << 22
"""Number of bytes that are read at a time; they fit into the cache."""
ID, LABEL, DIGITS = 11, 16, 6
"""Letters of the id of a video; greatest number of letters of the id of a label, and of digits of whole seconds."""
FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], dtype=np.uint64)
"""Odd constants of the golden ratio and of xxhash, which hash the 16 bytes of a label to one number."""


class IrregularError(Exception):
    """A row is not written as AudioSet writes it, or its label is unknown."""


class Arrays(NamedTuple):
    """Rows of a list: ids (`S11`), seconds, the labels of all rows in turn, and the number of labels of each row."""

    video: NDArray[np.bytes_]
    begin: NDArray[np.float64]
    end: NDArray[np.float64]
    label: NDArray[np.int32]
    n_labels: NDArray[np.int64]


class _Known:
    """The labels, sorted so that many can be searched at once."""

    def __init__(self, classes: Mapping[str, int]) -> None:
        names = [name.encode() for name in classes]
        if not names or max(map(len, names)) > LABEL:
            raise IrregularError
        words = np.array(names, dtype=f"S{LABEL}").view(np.uint64).reshape(-1, 2)
        order = np.argsort(_mixed(words))
        self.words, self.mixed = words[order], _mixed(words)[order]
        self.index = np.array(list(classes.values()), dtype=np.int32)[order]

    def find(self, words: NDArray[np.uint64]) -> NDArray[np.int32]:
        place = np.searchsorted(self.mixed, _mixed(words)).clip(max=len(self.mixed) - 1)
        _require((self.words[place] == words).all())
        numbers: NDArray[np.int32] = self.index[place]
        return numbers


def parse(path: Path, classes: Mapping[str, int]) -> Arrays:
    """Read a whole list.

    Args:
        path: one of AudioSet's lists.
        classes: index of each label by its id.

    Raises:
        IrregularError: a row is irregular; the list must be read row by row.
    """
    known = _Known(classes)
    parts = [_rows(np.frombuffer(chunk, dtype=np.uint8), known) for chunk in _chunks(path) if chunk]
    if not parts:
        raise IrregularError
    return Arrays(*map(np.concatenate, zip(*parts, strict=True)))


def _chunks(path: Path) -> Iterator[bytes]:
    """Whole lines with their ends, without the comments at the beginning."""
    with path.open("rb") as file:
        line = file.readline().removeprefix(b"\xef\xbb\xbf")
        while line.startswith(b"#"):
            line = file.readline()
        rest = line
        while more := file.read(CHUNK):
            whole, newline, rest = (rest + more).rpartition(b"\n")
            yield (whole + newline).replace(b"\r\n", b"\n")
        yield rest.rstrip() + b"\n" if rest.strip() else b""


def _rows(data: Bytes, known: _Known) -> Arrays:
    stop = np.flatnonzero(data == ord("\n"))
    start = np.append(0, stop[:-1] + 1)
    quotes, commas = np.flatnonzero(data == ord('"')), np.flatnonzero(data == ord(","))
    _require(len(quotes) == 2 * len(stop))
    opened, closed = quotes[::2], quotes[1::2]
    first = np.searchsorted(commas, start)
    _require(len(commas) >= 3 and int(first[-1]) + 2 < len(commas))
    one, two, three = commas[first], commas[first + 1], commas[first + 2]
    _require((one == start + ID).all() and (three + 2 == opened).all() and (closed + 1 == stop).all())
    video = data[start[:, None] + np.arange(ID)]
    _require(_LETTER[video].all())
    begin, end = _seconds(data, one, two), _seconds(data, two, three)
    _require((end > begin).all())
    within = np.ones(len(commas), dtype=bool)
    within[(first[:, None] + np.arange(3)).ravel()] = False
    between = commas[within]
    row = np.searchsorted(stop, between)
    _require((between > opened[row]).all())
    label = _labels(data, np.sort(np.append(opened, between)) + 1, np.sort(np.append(between, closed)), known)
    count = 1 + np.bincount(row, minlength=len(stop))
    pairs = np.sort((np.repeat(np.arange(len(stop)), count) << 32) + label)
    _require((np.diff(pairs) > 0).all())  # no label twice in a row
    return Arrays(video.view(f"S{ID}")[:, 0], begin, end, label, count)


def _seconds(data: Bytes, before: Index, after: Index) -> NDArray[np.float64]:
    """The numbers between commas, a blank before each: `30.000`."""
    point, length = after - 4, after - 4 - (before + 2)
    _require((data[point] == ord(".")).all() and (data[before + 1] == ord(" ")).all())
    _require((length >= 1).all() and (length <= DIGITS).all())
    milliseconds = np.zeros(len(after), dtype=np.int64)
    for power, offset in enumerate((3, 2, 1, *range(-1, -1 - int(length.max()), -1))):
        digit = data[point + offset].astype(np.int64) - ord("0")
        digit[-offset > length] = 0
        _require(((digit >= 0) & (digit <= 9)).all())
        milliseconds += digit * 10**power
    seconds: NDArray[np.float64] = milliseconds / 1000
    return seconds


def _labels(data: Bytes, start: Index, stop: Index, known: _Known) -> NDArray[np.int32]:
    length = stop - start
    _require((length >= 1).all() and (length <= LABEL).all())
    letters = np.zeros((len(start), LABEL), dtype=np.uint8)
    for place in range(int(length.max())):
        letters[:, place] = np.where(place < length, data[np.minimum(start + place, stop)], 0)
    return known.find(letters.view(np.uint64))


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed: NDArray[np.uint64] = words[:, 0] * FACTORS[0] ^ words[:, 1] * FACTORS[1]
    return mixed


def _require(holds: bool | np.bool_) -> None:
    if not holds:
        raise IrregularError


_LETTER = np.zeros(256, dtype=bool)
_LETTER[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")] = True
