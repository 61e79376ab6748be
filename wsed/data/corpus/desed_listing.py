"""The tables of a folder in DESED's layout as the data doctor sees them."""

from collections.abc import Sequence
from pathlib import Path

from wsed.data import sound_files
from wsed.data import table as tsv
from wsed.data.corpus import desed_layout as layout
from wsed.data.corpus.listing import Listing, Listings, Row
from wsed.data.findings import Finding
from wsed.data.table import RowError
from wsed.errors import WsedError
from wsed.registry import near


def read_listings(root: Path, tables: Sequence[str] | None, max_missing: float) -> Listings:
    """The tables of a corpus with their malformed rows.

    Args:
        root: the corpus.
        tables: names of those to read; None: all.
        max_missing: share of a table's clips that may be missing.

    Raises:
        WsedError: there is no such table, or none at all.
    """
    folder = layout.base(root)
    lists = tuple(read_listing(folder, name) for name in _tables(folder, tables))
    labels = layout.labels(folder) or _usual_labels(lists)
    return Listings(folder, folder / "audio", lists, labels, max_missing)


def _tables(folder: Path, tables: Sequence[str] | None) -> list[str]:
    known = layout.tables(folder)
    if not known:
        raise WsedError(f"no table in {folder / 'metadata'}; expected for example metadata/train/weak.tsv")
    names = known if tables is None else [layout.table_name(name) for name in tables]
    for name in names:
        if name not in known:
            raise WsedError(f"no table {name!r} in {folder / 'metadata'}{near(name, known)}: {', '.join(known)}")
    return names


def _usual_labels(listings: Sequence[Listing]) -> tuple[str, ...]:
    """The ten classes of DESED where the training tables use any of them, else those the training tables name."""
    trained = {
        label for listing in listings if listing.split == "train" for row in listing.rows for label in row.labels
    }
    desed = not trained or bool(trained & set(layout.DESED_LABELS))
    return layout.DESED_LABELS if desed else tuple(sorted(trained))


def read_listing(folder: Path, name: str) -> Listing:
    """A table and its malformed rows; what cannot be read of it is left out."""
    path = layout.table_file(folder, name)
    problems: list[RowError] = []
    try:
        kind, rows = _rows(path, problems)
    except WsedError as error:
        fix = "; mend its first line, or move it out of metadata/ if it is no clip table"
        return Listing(name, "unlabelled", (), {}, (Finding("error", "table", f"{error}{fix}", name),))
    findings = [Finding("error", "row", f"{p.text}; mend or delete the row", name, p.line) for p in problems]
    files: dict[str, Path] = {}
    try:
        _, audio = layout.find(folder, name)
        files = sound_files.locate(audio, dict.fromkeys(row.clip for row in rows))
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
