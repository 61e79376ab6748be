"""The tables of a folder in the layout of DESED, for `wsed data check`."""

from collections.abc import Sequence
from pathlib import Path

from wsed.data import sound_files
from wsed.data import table as tsv
from wsed.data.corpus import desed_layout as layout
from wsed.data.corpus.listing import Listing, Listings, Row
from wsed.data.findings import Finding
from wsed.data.table import RowError
from wsed.errors import WsedError, near


def read_listings(root: Path, tables: Sequence[str] | None, max_missing: float) -> Listings:
    """The tables of a corpus with their malformed rows.

    Args:
        root: folder of the corpus.
        tables: names of the tables to read; None: all.
        max_missing: share of the clips of a table that may be missing.

    Raises:
        WsedError: a table is missing, or there are no tables.
    """
    folder = layout.base(root)
    lists = tuple(read_listing(folder, name) for name in _tables(folder, tables))
    labels, listed = layout.classes(folder, _trained(folder)), bool(layout.labels(folder))
    return Listings(folder, folder / "audio", lists, labels, max_missing, listed)


def _tables(folder: Path, tables: Sequence[str] | None) -> list[str]:
    known = layout.tables(folder)
    if not known:
        raise WsedError(f"no table in {folder / 'metadata'}; expected for example metadata/train/weak.tsv")
    names = known if tables is None else [layout.table_name(name) for name in tables]
    for name in names:
        if name not in known:
            raise WsedError(f"no table {name!r} in {folder / 'metadata'}{near(name, known)}: {', '.join(known)}")
    return names


def _trained(folder: Path) -> list[str]:
    """The names of all training tables; the names of all tables if there are no training tables."""
    known = layout.tables(folder)
    return [name for name in known if name.startswith("train/")] or known


def read_listing(folder: Path, name: str) -> Listing:
    """A table with its malformed rows; rows that cannot be read are left out."""
    path = layout.table_file(folder, name)
    problems: list[RowError] = []
    try:
        kind, rows = _rows(path, problems)
    except RowError as error:
        fault = Finding("error", "row", f"{error.text}; the table is not read", name, error.line)
        return Listing(name, "unlabelled", (), {}, (fault,))
    except WsedError as error:
        fix = "; correct its first line, or move it out of metadata/ if it is not a table of clips"
        return Listing(name, "unlabelled", (), {}, (Finding("error", "table", f"{error}{fix}", name),))
    findings = [Finding("error", "row", f"{p.text}; correct or delete the row", name, p.line) for p in problems]
    files: dict[str, Path] = {}
    try:
        _, audio = layout.find(folder, name)
        first = {row.clip: row.line for row in reversed(rows)}
        outside = {clip: line for clip, line in first.items() if sound_files.is_outside(audio, clip, folder)}
        text = f"the file {layout.OUTSIDE}"
        findings += [Finding("error", "outside", text, name, line, clip) for clip, line in outside.items()]
        names = dict.fromkeys(row.clip for row in rows if row.clip not in outside)
        files = sound_files.locate(audio, names)
        if not rows and not problems:
            findings.append(Finding("error", "empty", "lists no clips; fill it, or move it out of metadata/", name))
    except WsedError as error:
        findings.append(Finding("error", "folder", f"{error}; move the table away if you do not need it", name))
    return Listing(name, kind, tuple(rows), files, tuple(findings))


def _rows(path: Path, problems: list[RowError]) -> tuple[str, list[Row]]:
    columns = tsv.read_columns(path)
    weak, strong = "event_labels" in columns, "onset" in columns
    rows = []
    if weak:
        rows += [Row(line, clip, tuple(sorted(tags))) for line, clip, tags in tsv.weak_rows(path, problems)]
    if strong:
        again: list[RowError] = []
        for line, clip, event in tsv.strong_rows(path, again):
            rows.append(Row(line, clip, (event[0],) if event else (), event))
        problems += [p for p in again if p.line not in {q.line for q in problems}]
    if not weak and not strong:
        rows = [Row(line, row["filename"]) for line, row in tsv.read_rows(path, ("filename",), problems)]
    return "strong" if strong else "weak" if weak else "unlabelled", rows
