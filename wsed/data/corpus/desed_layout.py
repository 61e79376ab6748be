"""The folder layout of DESED and DCASE: the table of each folder of clips. No audio is decoded here.

    ROOT/metadata/train/weak.tsv              describes  ROOT/audio/train/weak/
    ROOT/metadata/validation/validation.tsv   describes  ROOT/audio/validation/validation/, or ROOT/audio/validation/
    ROOT/metadata/train/weak_durations.tsv    durations of the clips of train/weak (optional)

A table may also be a `.csv`, tab- or comma-separated, as in DCASE 2018; if both exist, the `.tsv` is read.
ROOT may also be the folder above (`ROOT/dataset/metadata`, as in DCASE 2018 and 2019).
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from wsed.data import table as tsv
from wsed.data.clip import Clip, Timed
from wsed.data.packed.contents import refuse_pack
from wsed.data.sound_files import is_folder, is_outside, locate
from wsed.errors import WsedError, near

DESED_LABELS = (
    "Alarm_bell_ringing",
    "Blender",
    "Cat",
    "Dishes",
    "Dog",
    "Electric_shaver_toothbrush",
    "Frying",
    "Running_water",
    "Speech",
    "Vacuum_cleaner",
)
"""The ten classes of DESED, in the order of its label files."""

TABLES = (".tsv", ".csv")
"""Suffixes of tables, the preferred one first."""


OUTSIDE = "lies outside the corpus; put a link to its folder into audio/, and name the file below that"
"""The end of the message about a clip whose path lies outside the corpus."""


def base(root: str | Path) -> Path:
    """The folder that holds `metadata/` and `audio/`: `root` or `root/dataset`.

    Raises:
        WsedError: there is no such folder, or it has no `metadata/`.
    """
    root = Path(root)
    for folder in (root, root / "dataset"):
        if (folder / "metadata").is_dir():
            return folder
    if not root.is_dir():
        raise WsedError(f"no such folder: {root}")
    refuse_pack(root)
    raise WsedError(
        f"{root} is not a DESED folder: no metadata/ or dataset/metadata/ in it; name the folder above, or, for a "
        f"folder of recordings of your own, run `wsed new {root} --labels TABLE` and give the YAML file that it writes"
    )


def tables(root: str | Path) -> list[str]:
    """Names of all tables of clips below `metadata/` (`train/weak`, ...), sorted.

    Tables of durations (`*_durations`) and `provenance` (how `wsed data synth` made each clip) are left out.
    """
    metadata = base(root) / "metadata"
    paths = [path.relative_to(metadata) for path in metadata.rglob("*.?sv") if path.suffix in TABLES]
    hidden = {path for path in paths if any(part.startswith(".") for part in path.parts)}  # copies of editors
    names = {table_name(path.as_posix()) for path in {*paths} - hidden if path.stem != "provenance"}
    return sorted(name for name in names if not name.endswith("_durations"))


def table_name(table: str) -> str:
    """The name of a table without its suffix.

    >>> table_name("train/weak.tsv"), table_name("train/weak")
    ('train/weak', 'train/weak')
    """
    head, dot, suffix = table.rpartition(".")
    return head if dot + suffix in TABLES else table


def table_file(root: str | Path, table: str) -> Path:
    """The path of a table, which need not exist.

    Args:
        root: folder of the corpus.
        table: path below `metadata/`. Without a suffix it is the `.tsv` or, if that does not exist, the `.csv`.
    """
    path = base(root) / "metadata" / table
    if path.suffix in TABLES:
        return path
    choices = [path.with_name(path.name + suffix) for suffix in TABLES]
    return next((choice for choice in choices if choice.is_file()), choices[0])


def find(root: str | Path, table: str, audio: str | None = None) -> tuple[Path, Path]:
    """The path of a table and the folder of its clips.

    Args:
        root: folder of the corpus.
        table: path below `metadata/`, with or without a suffix: `train/weak`.
        audio: folder of the clips, below `audio/`; None: `audio/TABLE/`, or the folder above if that does not exist.

    Raises:
        WsedError: the table or the folder is missing.
    """
    folder = base(root)
    name, path = table_name(table), table_file(root, table)
    if not path.is_file():
        known = tables(root)
        raise WsedError(f"no such table: {path}{near(name, known)}; tables there: {', '.join(known) or 'none'}")
    parent = name.rpartition("/")[0]
    tried = [audio] if audio is not None else [name, parent] if parent else [name]
    for choice in tried:
        if is_folder(folder / "audio" / choice):
            return path, folder / "audio" / choice
    places = " or ".join(str(folder / "audio" / choice) for choice in tried)
    raise WsedError(f"no audio folder for table {name}: expected {places}; give the folder that name")


def read_clips(
    root: str | Path, table: str = "train/weak", source: str = "weak", audio: str | None = None
) -> list[Clip]:
    """The clips of a table, in file order, each with its sound file, tags and events.

    The columns decide the kind of table: `event_labels` are tags; `onset, offset, event_label` are events, from which
    the tags follow; with `filename` only, the clips are unlabelled. A clip without a sound file has the path where the
    file should be. The arguments are those of `find`.

    Raises:
        WsedError: the table or the folder is missing, the table is malformed or lists no clips, or the path of a clip
            lies outside the corpus.
    """
    path, folder = find(root, table, audio)
    columns = tsv.read_columns(path)
    tags: dict[str, frozenset[str]] = tsv.read_weak(path) if "event_labels" in columns else {}
    events: dict[str, tuple[Timed, ...]] = tsv.read_strong(path) if "onset" in columns else {}
    for name, timed in events.items():
        tags[name] = tags.get(name, frozenset()) | {label for label, _, _ in timed}
    names = tsv.read_names(path)
    if not names:
        raise WsedError(f"{path} lists no clips")
    for name in names:
        if is_outside(folder, name, base(root)):
            raise WsedError(f"{path}: {name!r} {OUTSIDE}")
    paths = locate(folder, names)
    return [Clip(name, paths[name], source, tags.get(name), events.get(name)) for name in names]


def durations(root: str | Path, table: str) -> dict[str, float]:
    """Durations in seconds from `metadata/TABLE_durations.tsv` (or `.csv`), by clip; empty without such a file."""
    path = table_file(root, f"{table_name(table)}_durations")
    return tsv.read_durations(path) if path.is_file() else {}


def labels(root: str | Path) -> tuple[str, ...]:
    """The classes in `metadata/labels.txt`, one per line; empty if there is no such file."""
    listed = base(root) / "metadata" / "labels.txt"
    lines = tsv.read_text(listed).splitlines() if listed.is_file() else []
    names = tuple(line.strip() for line in lines if line.strip())
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise WsedError(f"{listed}: {twice!r} is listed twice; list each class once, one per line")
    return names


def classes(root: str | Path, trained: Iterable[str]) -> tuple[str, ...]:
    """The classes in `metadata/labels.txt`, or those of the training tables if there is no such file.

    Args:
        root: folder of the corpus.
        trained: names of the training tables; tables that are missing or malformed are ignored.
    """
    if listed := labels(root):
        return listed
    names: set[str] = set()
    for path in (table_file(root, name) for name in trained):
        with suppress(WsedError):
            names |= tsv.label_names(path)
    return tuple(sorted(names))
