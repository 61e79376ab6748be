"""The folder layout of DESED and DCASE: which table describes which sound files. No audio is decoded here.

    ROOT/metadata/train/weak.tsv              describes  ROOT/audio/train/weak/
    ROOT/metadata/validation/validation.tsv   describes  ROOT/audio/validation/validation/, or ROOT/audio/validation/
    ROOT/metadata/train/weak_durations.tsv    durations of the clips of train/weak (optional)

A table may also be a `.csv`, tab- or comma-separated, as in DCASE 2018; where both exist, the `.tsv` is taken.
ROOT may also be the folder above (`ROOT/dataset/metadata`, as in DCASE 2018 and 2019).
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from wsed.data import table as tsv
from wsed.data.clip import Clip, Timed
from wsed.data.sound_files import leaves, locate
from wsed.errors import WsedError
from wsed.registry import near

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
"""What is wrong with a clip whose name leads out of the corpus."""


def base(root: str | Path) -> Path:
    """The folder that holds `metadata/` and `audio/`: `root` or `root/dataset`.

    Raises:
        WsedError: there is no such folder, or no `metadata/` in it.
    """
    root = Path(root)
    for folder in (root, root / "dataset"):
        if (folder / "metadata").is_dir():
            return folder
    if not root.is_dir():
        raise WsedError(f"no such folder: {root}")
    raise WsedError(f"{root} is no DESED folder: it has neither metadata/ nor dataset/metadata/; name the folder above")


def tables(root: str | Path) -> list[str]:
    """Names of all clip tables under `metadata/` (`train/weak`, ...), sorted.

    Left out are durations (`*_durations`), and `provenance`, in which `wsed data synth` tells how it made each clip.
    """
    metadata = base(root) / "metadata"
    paths = [path for path in metadata.rglob("*.?sv") if path.suffix in TABLES and path.name[0] != "."]
    names = {table_name(path.relative_to(metadata).as_posix()) for path in paths if path.stem != "provenance"}
    return sorted(name for name in names if not name.endswith("_durations"))


def table_name(table: str) -> str:
    """`train/weak.tsv` -> `train/weak`; only the suffix of a table is taken away."""
    head, dot, suffix = table.rpartition(".")
    return head if dot + suffix in TABLES else table


def table_file(root: str | Path, table: str) -> Path:
    """The file of a table, which need not be there.

    Args:
        root: the corpus.
        table: name below `metadata/`; without a suffix the `.tsv` if there is one, else the `.csv`.
    """
    path = base(root) / "metadata" / table
    if path.suffix in TABLES:
        return path
    choices = [path.with_name(path.name + suffix) for suffix in TABLES]
    return next((choice for choice in choices if choice.is_file()), choices[0])


def find(root: str | Path, table: str, audio: str | None = None) -> tuple[Path, Path]:
    """The table `metadata/TABLE.tsv` (or `.csv`) and the folder of its clips.

    Args:
        root: the corpus.
        table: name below `metadata/`, with or without its suffix: `train/weak`.
        audio: name of the folder below `audio/`; if None `audio/TABLE/`, or the folder above where there is none.

    Raises:
        WsedError: the table or the folder is not there.
    """
    folder = base(root)
    name, path = table_name(table), table_file(root, table)
    if not path.is_file():
        known = tables(root)
        raise WsedError(f"no such table: {path}{near(name, known)}; tables there: {', '.join(known) or 'none'}")
    parent = name.rpartition("/")[0]
    tried = [audio] if audio is not None else [name, parent] if parent else [name]
    for choice in tried:
        if (folder / "audio" / choice).is_dir():
            return path, folder / "audio" / choice
    places = " or ".join(str(folder / "audio" / choice) for choice in tried)
    raise WsedError(f"no audio folder for table {name}: expected {places}; give the folder that name")


def read_clips(
    root: str | Path, table: str = "train/weak", source: str = "weak", audio: str | None = None
) -> list[Clip]:
    """The clips of one table, in file order, each with its sound file, tags and events.

    The header decides the kind of table: `event_labels` gives tags; `onset, offset, event_label` give events, and
    the tags that follow from them; `filename` alone gives unlabelled clips. A clip without a sound file gets the
    path where it should be. Arguments and errors as in `find`, and those of `table.read_*`.

    Raises:
        WsedError: also where the table lists no clips, or a clip that lies outside the corpus.
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
        if leaves(folder, name, base(root)):
            raise WsedError(f"{path}: {name!r} {OUTSIDE}")
    paths = locate(folder, names)
    return [Clip(name, paths[name], source, tags.get(name), events.get(name)) for name in names]


def durations(root: str | Path, table: str) -> dict[str, float]:
    """Seconds of each clip by `metadata/TABLE_durations.tsv` (or `.csv`); empty where there is no such file."""
    path = table_file(root, f"{table_name(table)}_durations")
    return tsv.read_durations(path) if path.is_file() else {}


def labels(root: str | Path) -> tuple[str, ...]:
    """The classes of `metadata/labels.txt`, one per line; empty where there is no such file."""
    listed = base(root) / "metadata" / "labels.txt"
    lines = tsv.read_text(listed).splitlines() if listed.is_file() else []
    names = tuple(line.strip() for line in lines if line.strip())
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise WsedError(f"{listed}: {twice!r} is listed twice; a class is named once, one per line")
    return names


def classes(root: str | Path, trained: Iterable[str]) -> tuple[str, ...]:
    """The classes of a corpus: those of `metadata/labels.txt`, or where there is none those of the training tables.

    Args:
        root: the corpus.
        trained: names of the training tables; those that are not there or cannot be read are passed over.
    """
    if listed := labels(root):
        return listed
    found: set[str] = set()
    for path in (table_file(root, name) for name in trained):
        with suppress(WsedError):
            found |= tsv.label_names(path)
    return tuple(sorted(found))
