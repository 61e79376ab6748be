"""The settings of a folder's tags, events and splits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsed.errors import WsedError, near
from wsed.formats.table import Columns

SPLITS = ("train", "validation", "test")
FOLDERS = "folders"
"""In place of a table of tags: files are in folders named by class."""


@dataclass(frozen=True)
class TagTable:
    """A table of tags, with one row per file or per tag.

    Args:
        table: a CSV or TSV, in the folder of the recordings or anywhere.
        file: column of the sound file; None: the one whose cells name files of the folder.
        label: column of the tags, or a list of columns of zeros and ones, one per class; None: they are recognised.
        between: separator of the tags in a cell; None: a semicolon, bar or comma, whichever occurs.
        separator: separator of the cells of a row; None: it is recognised.

    Raises:
        WsedError: the list of columns is empty, or names one twice.
    """

    table: str
    file: str | None = None
    label: str | Sequence[str] | None = None
    between: str | None = None
    separator: str | None = None

    def __post_init__(self) -> None:
        listed = None if self.label is None or isinstance(self.label, str) else [*self.label]
        if listed is not None and (not listed or len({*listed}) < len(listed)):
            raise WsedError(f"data.corpus.tags.label is {listed}: name each column of a class once, or set it to null")


@dataclass(frozen=True)
class EventTable(Columns):
    """A file of events, or a folder of label files, one per sound file.

    Formats: tables (CSV, TSV), Audacity label tracks, Raven selection tables (one per sound file or one for all) and
    TextGrids.

    Args:
        table: the file or folder.
        file, onset, offset, label, unit, separator, duration: for tables, see `wsed.formats.table.Columns`.
    """

    table: str = "."


@dataclass(frozen=True)
class Splits:
    """Which files are for training, validation and test: by a column, or drawn.

    Args:
        column: column of the tables with the split of each file; or `folder`: the first folder that a file is in.
        names: the values of the column that mean `train`, `validation` and `test`; files with other values are left
            out. None: values that begin with these words, or with `val`, `dev` or `eval`.
        group: column with the groups of files (patients, sites), or `folder`; a group is never divided between splits
            that are drawn. None: files are drawn one by one.
        validation: share of the groups (or files) that are drawn for validation.
        test: share of the groups (or files) that are drawn for the test.
        seed: seed of the draw.

    Raises:
        WsedError: a setting is out of its range, or two contradict each other.
    """

    column: str | None = None
    names: Mapping[str, Sequence[str] | str] | None = None
    group: str | None = None
    validation: float = 0.0
    test: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, share in (("validation", self.validation), ("test", self.test)):
            if not 0 <= share < 1:
                raise WsedError(f"data.corpus.splits.{name} must lie in [0, 1), not {share}")
        if self.validation + self.test >= 1:
            raise WsedError(
                f"data.corpus.splits: validation {self.validation:g} and test {self.test:g} leave nothing to train on; "
                "lower one of them"
            )
        if self.column is not None and (self.validation or self.test or self.group):
            raise WsedError(
                f"data.corpus.splits.column is {self.column!r}, but group, validation and test draw splits: set column "
                "to null, or the others (data.holdout draws validation clips from training clips)"
            )
        if self.column is None and (self.names or not (self.validation or self.test)):
            raise WsedError("data.corpus.splits makes no split: set column, or set validation and test to shares")
        for name in self.names or ():
            if name not in SPLITS:
                raise WsedError(
                    f"data.corpus.splits.names has {name!r}{near(name, SPLITS)}; known: {', '.join(SPLITS)}"
                )


def place(root: Path, name: str, setting: str) -> Path:
    """The path of a table or folder, which is in the folder of the recordings or anywhere.

    Raises:
        WsedError: it does not exist.
    """
    for path in (root / name, Path(name)):
        if path.exists():
            return path
    there = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.?sv"))[:20]
    raise WsedError(f"no {root / name}{near(name, there)}; set {setting} to the path of the table")
