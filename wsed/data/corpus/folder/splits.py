"""The split of each file: by a column of the tables, or drawn so that no group is divided."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from wsed.data.corpus.folder.files import folders
from wsed.data.corpus.folder.settings import SPLITS, Splits
from wsed.data.holdout import held_out
from wsed.data.ragged import Ragged
from wsed.errors import WsedError, near
from wsed.types import Split

STARTS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "dev_train"),
    "validation": ("val", "dev"),
    "test": ("test", "eval"),
}
FOLDER = "folder"
"""In place of a column: the first folder that a file is in."""


class Listed(NamedTuple):
    """A file that is assigned to a split.

    Args:
        name: its path below the folder.
        tags: its classes; None if they are unknown.
        facts: the other cells of its row, by column.
        table: the table with its row; empty if it has no row.
        differing: the cells of two rows that differ, with table and line, by column.
    """

    name: str
    tags: frozenset[str] | None
    facts: Mapping[str, str]
    table: str = ""
    differing: Mapping[str, str] = {}


def assign(files: Sequence[Listed], splits: Splits | None, classes: Sequence[str]) -> list[Split | None]:
    """The split of each file; None: in no split.

    Raises:
        WsedError: there is no such column, or the training split or a split that is drawn lacks a class.
    """
    if splits is None:
        return ["train"] * len(files)
    result = by_column(files, splits) if splits.column is not None else drawn(files, splits, classes)
    check_classes(files, result, splits, classes)
    return result


def by_column(files: Sequence[Listed], splits: Splits) -> list[Split | None]:
    """The split that a column names for each file: train for files without a row, None for other values."""
    assert splits.column is not None
    values = facts_of(files, splits.column, "data.corpus.splits.column")
    names = {value for value in values if value is not None}
    of = {value: _split_of(value, splits.names) for value in names}
    for split, wanted in (splits.names or {}).items():
        for value in [wanted] if isinstance(wanted, str) else wanted:
            if value not in names:
                raise WsedError(
                    f"data.corpus.splits.names: no file has the value {value!r} ({split}) in column "
                    f"{splits.column!r}{near(value, names)}; its values: {', '.join(sorted(names))}"
                )
    if "train" not in of.values():
        raise WsedError(
            f"data.corpus.splits.column {splits.column!r} has no value for train; its values are "
            f"{', '.join(sorted(names))}: set data.corpus.splits.names to {{train: ..., validation: ..., test: ...}}"
        )
    return ["train" if value is None else of[value] for value in values]


def _split_of(value: str, names: Mapping[str, Sequence[str] | str] | None) -> Split | None:
    """The split that a value means.

    >>> _split_of("test_seen_patients", None), _split_of("Val", None), _split_of("fold3", None)
    ('test', 'validation', None)
    """
    for split in STARTS:
        if names is not None:
            wanted = names.get(split, ())
            if value in ([wanted] if isinstance(wanted, str) else wanted):
                return split
        elif value.casefold().startswith(STARTS[split]):
            return split
    return None


def drawn(files: Sequence[Listed], splits: Splits, classes: Sequence[str]) -> list[Split | None]:
    """Draw splits by the seed: each class has its share of the groups in each split, and no group is divided.

    Only files with tags are drawn. Files without labels are for training, or in no split if their group is held out.

    Raises:
        WsedError: the group of a file with a row is not known.
    """
    if splits.group is None:
        groups = [file.name for file in files]
    else:
        values = facts_of(files, splits.group, "data.corpus.splits.group")
        _check_groups(files, values, splits.group)
        groups = [file.name if value is None else value for value, file in zip(values, files, strict=True)]
    index = {name: i for i, name in enumerate(classes)}
    of: dict[str, set[int]] = {}
    for file, group in zip(files, groups, strict=True):
        if file.tags is not None:
            of.setdefault(group, set()).update(index[tag] for tag in file.tags)
    split: dict[str, Split] = {}
    left, taken = list(of), 0.0
    for name, share in (("test", splits.test), ("validation", splits.validation)):
        if share and left:
            labels = Ragged.lists([sorted(of[group]) for group in left])
            mask = held_out(labels, len(classes), share / (1 - taken), splits.seed).tolist()
            split |= {group: _literal(name) for group, held in zip(left, mask, strict=True) if held}
            left = [group for group, held in zip(left, mask, strict=True) if not held]
            taken += share
    return [
        split.get(group, "train") if file.tags is not None or group not in split else None
        for file, group in zip(files, groups, strict=True)
    ]


def _check_groups(files: Sequence[Listed], groups: Sequence[str | None], column: str) -> None:
    """Refuse files with a row in a table that lacks the column of the groups."""
    unknown = [file for file, group in zip(files, groups, strict=True) if group is None and file.table]
    if unknown and column != FOLDER:
        table = unknown[0].table
        unknown = [file for file in unknown if file.table == table]
        raise WsedError(
            f"data.corpus.splits.group is {column!r}, but {table} has no such column, and no other table has a row for "
            f"{len(unknown)} of its files (first: {unknown[0].name}): a {column} could be in several splits; add the "
            f"column to {table}, or set data.corpus.splits to null"
        )


def _literal(name: str) -> Split:
    return "test" if name == "test" else "validation"


def facts_of(files: Sequence[Listed], column: str, setting: str) -> list[str | None]:
    """The cell of a column for each file; None for files without a row.

    Raises:
        WsedError: no table has the column, the cell of a file is empty, or two rows of a file differ.
    """
    known = dict.fromkeys(name for file in files for name in (*file.facts, *file.differing))
    if column not in known and column != FOLDER:
        like = near(column, [*known, FOLDER])
        raise WsedError(
            f"{setting} is {column!r}{like}, but no table of the folder has that column; existing columns: "
            f"{', '.join(known) or 'none'}, or {FOLDER}"
        )
    values: list[str | None] = []
    for file in files:
        if column in file.differing:
            rows = file.differing[column]
            raise WsedError(f"{setting}: the rows of {file.name} differ in {column}: {rows}; write the same in each")
        own = folders(file.name)[:1]
        value = file.facts.get(column) if column in known else own[0] if own else None
        if value == "":
            raise WsedError(f"{setting}: the file {file.name} has no {column} in its row; fill it, or delete the row")
        values.append(value)
    return values


def check_classes(
    files: Sequence[Listed], splits: Sequence[Split | None], settings: Splits, classes: Sequence[str]
) -> None:
    """Refuse a training split, or splits that are drawn, without files of a class.

    Raises:
        WsedError: a class is in no file of a split.
    """
    wanted = [name for name in SPLITS if name == "train" or (settings.column is None and name in splits)]
    for split in wanted:
        there = {tag for file, own in zip(files, splits, strict=True) if own == split for tag in file.tags or ()}
        if lacking := [name for name in classes if name not in there]:
            raise WsedError(_lacking(lacking[0], split, files, settings))


def _lacking(name: str, split: str, files: Sequence[Listed], settings: Splits) -> str:
    mine = [file for file in files if name in (file.tags or ())]
    if settings.column is not None:
        return (
            f"data.corpus.splits.column {settings.column!r}: no file of {split} has the class {name!r} ({len(mine)} "
            f"files of other splits have it); move such files to {split}, or leave the class out of data.corpus.classes"
        )
    what, count = "files", len(mine)
    if settings.group is not None:
        values = facts_of(mine, settings.group, "data.corpus.splits.group")
        what, count = f"groups of {settings.group!r}", len(set(values))
    return (
        f"data.corpus.splits: no file of {split} has the class {name!r}, which is in {count} {what}; set another "
        "data.corpus.splits.seed or a larger share, or merge or leave out the class in data.corpus.classes"
    )
