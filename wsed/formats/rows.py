"""Rows and cells of tables: separators, quotes, and the error that names a row."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from wsed.errors import WsedError

LONGEST = csv.field_size_limit()
"""Greatest number of characters in a cell."""

ENDS = ("\t", "\n", "\r")
"""What ends a cell or a row for readers of tab-separated tables, so that no cell can hold it."""


class RowError(WsedError):
    """A malformed row of a table.

    Attributes:
        path: the table.
        line: line number of the row; the header is line 1.
        text: what is wrong with the row.
    """

    def __init__(self, path: str | Path, line: int, text: str) -> None:
        super().__init__(f"{path}:{line}: {text}")
        self.path, self.line, self.text = Path(path), line, text

    def __reduce__(self) -> tuple[type["RowError"], tuple[Path, int, str]]:
        """The parts from which another process builds the error again."""
        return RowError, (self.path, self.line, self.text)


def separator_of(header: str) -> str:
    r"""The separator of a table, from its first line: a comma if the line has commas and no tab, else a tab.

    >>> separator_of("filename,onset"), separator_of("filename")
    (',', '\t')
    """
    return "," if "," in header and "\t" not in header else "\t"


def split_rows(path: str | Path, lines: Sequence[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line with its line number; the quotes around a cell, as spreadsheets write them, are removed.

    Raises:
        RowError: a quote is not closed on its line (in tab-separated tables quotes may be open), or a cell is too
            long.
    """
    if separator == "\t":
        # Line by line, since a csv reader would read all rows after an unmatched quote as one cell.
        for number, line in enumerate(lines, start=1):
            cells = [unquoted(cell) for cell in line.split("\t")] if line else []
            if len(line) > LONGEST and max(map(len, cells)) > LONGEST:
                raise RowError(path, number, f"a cell of more than {LONGEST} characters; is this a table?")
            yield number, cells
        return
    reader = csv.reader(lines, strict=True, delimiter=separator)
    before = 0
    try:
        for cells in reader:
            if reader.line_num > before + 1:
                raise csv.Error("a cell begins with a quote and does not end on this line")
            before = reader.line_num
            yield before, cells
    except csv.Error as error:
        raise RowError(path, before + 1, f"{error}; correct the row, or its quotes") from None


def unquoted(cell: str) -> str:
    """A cell without the quotes of a spreadsheet; unmatched quotes stay.

    >>> [unquoted(cell) for cell in ('"Horn,Siren"', '"the ""big"" horn"', '12" horn', '"Horn', '"a" and "b"')]
    ['Horn,Siren', 'the "big" horn', '12" horn', '"Horn', '"a" and "b"']
    """
    if '"' not in cell:
        return cell
    inside = cell.strip()
    if len(inside) < 2 or inside[0] != '"' or inside[-1] != '"':
        return cell
    inside = inside[1:-1]
    return inside.replace('""', '"') if '"' not in inside.replace('""', "") else cell


def tab_line(path: str | Path, cells: Sequence[str]) -> str:
    r"""A row of a tab-separated table; cells with quotes that a reader would remove are quoted.

    Raises:
        WsedError: a cell holds a tab or a line break.

    >>> tab_line("events.tsv", ["a.wav", "Horn"])
    'a.wav\tHorn\n'
    """
    for cell in cells:
        if any(end in cell for end in ENDS):
            raise WsedError(f"{path}: {cell!r} holds a tab or a line break and cannot be a cell of a table")
    return "\t".join(c if unquoted(c) == c else '"' + c.replace('"', '""') + '"' for c in cells) + "\n"
