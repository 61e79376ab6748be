"""Rows and cells of tables: separators, quotes, and the error that names a row."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from wsed.errors import WsedError

LONGEST = csv.field_size_limit()
"""Letters of the longest cell."""


class RowError(WsedError):
    """A row of a table that cannot be understood.

    Attributes:
        path: the table.
        line: the row's line number, the header being line 1.
        text: what is wrong with it.
    """

    def __init__(self, path: str | Path, line: int, text: str) -> None:
        super().__init__(f"{path}:{line}: {text}")
        self.path, self.line, self.text = Path(path), line, text

    def __reduce__(self) -> tuple[type["RowError"], tuple[Path, int, str]]:
        """What a worker process sends."""
        return RowError, (self.path, self.line, self.text)


def separator_of(header: str) -> str:
    """The separator of a table by its first line: a tab, or a comma where there is no tab."""
    return "," if "," in header and "\t" not in header else "\t"


def split_rows(path: str | Path, lines: Sequence[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line, with its number; cells in quotes, as spreadsheets write them, without these.

    Raises:
        RowError: a quote is not closed on its line (between tabs it is a letter), or a cell is too long for a
            name.
    """
    if separator == "\t":
        # Line by line: a csv reader would take all rows after an unmatched quote for one cell.
        for number, line in enumerate(lines, start=1):
            cells = [unquoted(cell) for cell in line.split("\t")] if line else []
            if len(line) > LONGEST and max(map(len, cells)) > LONGEST:
                raise RowError(path, number, f"a cell of more than {LONGEST} letters; is this a table?")
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
        raise RowError(path, before + 1, f"{error}; mend the row, or its quotes") from None


def unquoted(cell: str) -> str:
    """A cell without the quotes of a spreadsheet; unmatched ones are letters.

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
