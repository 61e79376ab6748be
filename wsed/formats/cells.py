"""Tables with a header as people write them: their separator and the meaning of their columns are recognised."""

import ast
import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from warnings import catch_warnings

from wsed.errors import WsedError, near
from wsed.formats.rows import RowError, split_rows
from wsed.text import composed, read_text

FILE = (
    "filename", "file name", "file", "files", "fname", "path", "file path", "filepath", "audio", "audio file",
    "audio filename", "recording", "clip", "clip id", "wav", "begin path", "begin file", "name", "id",
)  # fmt: skip
LABEL = (
    "event label", "event labels", "label", "labels", "tag", "tags", "class", "classes", "category", "categories",
    "annotation", "common name", "species", "event", "sound", "type", "name", "primary label",
)  # fmt: skip
ONSET = ("onset", "start", "start time", "starttime", "begin", "begin time", "from", "tmin", "xmin", "event onset")
OFFSET = ("offset", "end", "end time", "endtime", "stop", "stop time", "to", "tmax", "xmax", "event offset")
DURATION = ("duration", "event duration", "length", "dur")
"""Of tables that have it in place of the offset."""
GROUPS = (
    "patient", "subject", "speaker", "person", "participant", "animal", "individual", "recordist", "recorder", "author",
    "site", "location", "place", "station", "device", "session", "group",
)  # fmt: skip
DETAILS = (
    "date", "time", "datetime", "url", "link", "source", "comment", "comments", "remark", "remarks", "note", "notes",
    "description", "title", "license", "licence", "annotator", "observer", "uploader", "user", "username", "country",
    "region", "city", "habitat", "weather", "sex", "gender", "age", "sha1", "md5",
)  # fmt: skip
SPLIT = ("split", "subset", "set", "partition", "fold")
CONFIDENCE = ("confidence", "score", "probability", "conf")
QUOTED = re.compile(r"'(?:[^'\\]|\\.)*+'|\"(?:[^\"\\]|\\.)*+\"")
"""An item of a list as Python and JSON write it."""
LIST = re.compile(rf"[\[({{][\s,]*+(?:(?:{QUOTED.pattern})[\s,]*+)*+[\])}}]")
UNITS = {"s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 0.001, "msec": 0.001}


@dataclass(frozen=True)
class Cells:
    """The cells of a table.

    Attributes:
        path: the file.
        header: the names of the columns.
        rows: the line of each row, and its cells, as many as there are columns.
        separator: the separator of cells.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    separator: str

    def column(self, name: str | None, usual: Sequence[str], setting: str) -> int | None:
        """The index of a column: the named one, or else the first one with a usual name.

        Args:
            name: name that the user gives; None: the column is recognised.
            usual: plain names, see `plain`, the likeliest first.
            setting: the setting with the name of the column, for the message.

        Raises:
            WsedError: there is no column with the given name.
        """
        if name is not None:
            if name not in self.header:
                like, known = near(name, self.header), ", ".join(self.header)
                raise WsedError(f"{self.path} has no column {name!r}{like}, which {setting} names; it has {known}")
            return self.header.index(name)
        names = [plain(column)[0] for column in self.header]
        return next((names.index(one) for one in usual if one in names), None)

    def values(self, column: int) -> list[str]:
        """The cells of a column."""
        return [cells[column] for _, cells in self.rows]


def plain(column: str) -> tuple[str, float]:
    """The name of a column without its unit, in lower case, and the seconds of its unit.

    >>> plain("Begin Time (s)"), plain("start_ms")
    (('begin time', 1.0), ('start', 0.001))
    """
    words = re.sub(r"[_\-.()\[\]]+", " ", column.casefold()).split()
    if len(words) > 1 and words[-1] in UNITS:
        return " ".join(words[:-1]), UNITS[words[-1]]
    return " ".join(words), 1.0


def read_cells(path: str | Path, separator: str | None = None) -> Cells:
    """A table with a header.

    Args:
        path: the file.
        separator: separator of cells; None: a tab, semicolon or comma, whichever the header has.

    Raises:
        WsedError: the file is missing, not UTF-8 text or blank, or has a column twice, or the separator is not one
            character.
        RowError: a row has more cells than the header, or another separator.
    """
    path = Path(path)
    lines = composed(read_text(path, "table")).rstrip("\n").split("\n")
    if declared := re.fullmatch("sep=(.)", lines[0]):  # Excel reads this line, and then the table
        separator, lines[0] = separator or declared[1], ""
    if separator is not None and (len(separator) != 1 or separator in '"\r\n'):
        raise WsedError(f"{path}: the separator of cells is {separator!r}; set it to one character, such as ';'")
    between = separator or header_separator(next((line for line in lines if line.strip()), ""))
    split = [(line, [cell.strip() for cell in cells]) for line, cells in split_rows(path, lines, between)]
    rows = [(line, cells) for line, cells in split if any(cells)]
    if not rows:
        raise WsedError(f"{path} is blank; write a header and a row for each file or event")
    header = rows[0][1]
    while header and not header[-1]:
        header = header[:-1]
    if twice := [name for name in header if header.count(name) > 1 and name]:
        raise WsedError(
            f"{path} has the column {twice[0]!r} twice; rename one of them, or write a header if there is none"
        )
    fitted = tuple((line, _fitted(path, line, cells, len(header), between)) for line, cells in rows[1:])
    return Cells(path, tuple(header), fitted, between)


def header_separator(header: str) -> str:
    """The separator of a table by its first line.

    >>> header_separator("file;label"), header_separator("file,label"), header_separator("file")
    (';', ',', ',')
    """
    if "\t" in header:
        return "\t"
    return ";" if header.count(";") > header.count(",") else ","


def _fitted(path: Path, line: int, cells: list[str], width: int, separator: str) -> tuple[str, ...]:
    names = {"\t": "tabs", ",": "commas", ";": "semicolons"}
    mine = names.get(separator, repr(separator))
    others = [name for mark, name in names.items() if mark != separator and cells[0].count(mark) == width - 1]
    if width > 1 and others and not any(cells[1:]):
        raise RowError(
            path, line, f"this row is separated by {others[0]}, the header by {mine}; separate all rows alike"
        )
    if any(cells[width:]):
        raise RowError(
            path,
            line,
            f"{len(cells)} cells where the header has {width}; put cells that hold {mine} in quotes, or name "
            "another separator",
        )
    return tuple((cells + [""] * width)[:width])


def tags_in(cell: str, separator: str | None, lists: bool = False) -> list[str]:
    """The tags in a cell, in order; lists as Python, NumPy and JSON write them are understood.

    Args:
        cell: the cell.
        separator: separator of tags; None: one tag.
        lists: whether all cells of the column are lists, see `are_lists`; otherwise a list without quotes is one tag.

    >>> tags_in("Dog; Cat ;", ";"), tags_in("['Dog', 'Cat']", ","), tags_in("[]", None)
    (['Dog', 'Cat'], ['Dog', 'Cat'], [])
    """
    if LIST.fullmatch(cell):
        parts = [_unquoted(item) for item in QUOTED.findall(cell)]
    else:
        text = cell[1:-1] if lists else cell
        parts = text.split(separator) if separator else [text]
    return [part.strip() for part in parts if part.strip()]


def are_lists(cells: Iterable[str], separator: str | None) -> bool:
    """Whether the cells of a column are lists in brackets; one of them has several items.

    >>> are_lists(["[Dog, Cat]", "[Dog]", ""], ","), are_lists(["[laughter]"], None)
    (True, False)
    """
    filled = [cell for cell in cells if cell]
    bracketed = all(cell[:1] + cell[-1:] in ("[]", "{}") for cell in filled)
    others = [cell for cell in filled if bracketed and not LIST.fullmatch(cell)]
    several = separator is not None and any(separator in cell for cell in others)
    return bracketed and several and not any({*"[]"} & {*cell[1:-1]} for cell in others)


def _unquoted(item: str) -> str:
    for read in (json.loads, ast.literal_eval) if "\\" in item else ():
        with suppress(ValueError, SyntaxError), catch_warnings(action="ignore"):  # not as this language writes it
            text = composed(str(read(item)))
            text.encode()
            return text
    return item[1:-1]


def tag_separator(cells: Iterable[str]) -> str | None:
    """The separator of the tags in cells: a semicolon, bar or comma, whichever occurs; None: one tag per cell."""
    joined = "\n".join(cells)
    return next((mark for mark in (";", "|", ",") if mark in joined), None)
