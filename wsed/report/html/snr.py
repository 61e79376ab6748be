"""Signal-to-noise ratios of true events, from the tables that `wsed data synth` writes beside its events."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from wsed.data import table
from wsed.errors import WsedError

NAME = "provenance.tsv"
COLUMNS = ("filename", "event_label", "onset", "snr_db")


def read_snr(paths: Iterable[Path]) -> dict[tuple[str, str, float], float]:
    """The ratio of each event in dB, by clip, class and onset; tables without ratios are skipped."""
    known: dict[tuple[str, str, float], float] = {}
    for path in paths:
        try:
            rows = list(table.read_rows(path, COLUMNS))
        except WsedError:  # another table of this name
            continue
        for _, row in rows:
            try:
                known[row["filename"], row["event_label"], round(float(row["onset"]), 3)] = float(row["snr_db"])
            except ValueError:
                continue
    return known


def tables_of(settings: Mapping[str, object]) -> list[Path]:
    """The tables in the corpus of a run.

    >>> tables_of({"data": {"corpus": {"init_args": {"root": "data/none"}}}})
    []
    """
    place: object = settings
    for name in ("data", "corpus", "init_args", "root"):
        place = place.get(name) if isinstance(place, Mapping) else None
    return sorted(Path(place, "metadata").rglob(NAME)) if isinstance(place, str) else []
