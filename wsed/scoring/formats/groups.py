"""Reading of groups of clips: the patient, source recording or site of each clip."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from wsed.data.table import read_columns, read_rows
from wsed.errors import WsedError, near
from wsed.metrics.groups import Groups

MIXED = ("source_file", "background_file")
"""Columns of `provenance.tsv` of `wsed data synth`, with a row for each recording in a clip."""

Own = Mapping[str, None]
"""The groups of a clip, in order."""


def read_groups(groups: str | Path, reference: str | Path, clip_ids: Sequence[str]) -> Groups:
    r"""The groups of some clips.

    Args:
        groups: a table with `filename` and one more column, the group; a `provenance.tsv` of `wsed data synth`, whose
            clips are in a group for each recording in them; or the name of a column of the reference.
        reference: the table of true events.
        clip_ids: the clips.

    Raises:
        WsedError: there is no such file or column, a clip has no group, or there is only one group.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "patients.csv")
    ...     _ = path.write_text("filename,patient\na.wav,p1\nb.wav,p2\nc.wav,p1\n")
    ...     read_groups(path, "events.tsv", ["a.wav", "b.wav", "c.wav"]).names
    ('p1', 'p2')
    """
    path = Path(groups)
    is_file = path.is_file() or path.suffix.lower() in (".tsv", ".csv", ".txt")
    table = path if is_file else Path(reference)
    columns = _columns(table) if is_file else [_column(str(groups), table)]
    of: dict[str, dict[str, None]] = {}
    for _, row in read_rows(table, ["filename", *columns]):
        own = of.setdefault(row["filename"], {})
        own.update(dict.fromkeys(row[column] for column in columns if row[column]))
    several = [own or {} for own in _found(of, clip_ids)]
    absent = [name for name, own in zip(clip_ids, several, strict=True) if not own]
    if absent:
        more = f", nor for {len(absent) - 1} other clips" if len(absent) > 1 else ""
        raise WsedError(
            f"--groups: {table} has no group for {absent[0]!r}{more}; name the clips as the reference does "
            "(the name without folder and suffix is enough where no other clip has the same one)"
        )
    groups_of_clips = Groups.of([tuple(own) for own in several])
    if len(groups_of_clips) < 2:
        raise WsedError(
            f"--groups: all clips are in the group {groups_of_clips.names[0]!r}; intervals need two groups or more"
        )
    return groups_of_clips


def _found(of: Mapping[str, Own], clip_ids: Sequence[str]) -> list[Own | None]:
    """The groups of each clip, by its name; else by its stem, if only one row and no other clip have it.

    Two clips with one stem, such as `site1/001.wav` and `site2/001.wav`, are different clips.
    """
    of_stem, clips = dict[str, list[Own]](), Counter(Path(name).stem for name in clip_ids)
    for name, own in of.items():
        of_stem.setdefault(Path(name).stem, []).append(own)
    found = []
    for name in clip_ids:
        stem = Path(name).stem
        same = of_stem.get(stem, [])
        found.append(of.get(name) or (same[0] if len(same) == clips[stem] == 1 else None))
    return found


def _columns(path: Path) -> list[str]:
    """The columns of a table that hold groups."""
    names = read_columns(path)
    if MIXED[0] in names:
        return [name for name in MIXED if name in names]
    others = [name for name in names if name != "filename"]
    if "filename" not in names or len(others) != 1:
        raise WsedError(
            f"--groups: {path} has the columns {', '.join(names)}; it needs filename and one more, the group"
        )
    return others


def _column(name: str, path: Path) -> str:
    if not path.is_file():
        raise WsedError(f"--groups {name}: no such file, and {path} is not a table with a column of this name")
    names = read_columns(path)
    if name not in names:
        raise WsedError(
            f"--groups {name}: no such file, and no such column in {path}{near(name, names)}; it has {', '.join(names)}"
        )
    return name
