"""The places of the lists of AudioSet and of DCASE 2017 task 4, and of their clips.

ROOT/eval_segments.csv                    a list as published, or in a folder in ROOT
ROOT/class_labels_indices.csv             AudioSet's classes, beside its lists
ROOT/audio/Y--PJHxphWEs.wav               clips at any depth below ROOT/audio, or below ROOT; see `files`
"""

from pathlib import Path

from wsed.data.sound_files import is_folder
from wsed.data.table import read_rows
from wsed.errors import WsedError, near

CLASSES = "class_labels_indices.csv"
"""AudioSet's list of classes."""

PATTERNS = ("*_segments.csv", "audioset_*_strong.tsv", "groundtruth_*_label_*_set.csv")
"""Names of the lists, as they are published."""

DCASE2017_LABELS = (
    "Train horn",
    "Air horn, truck horn",
    "Car alarm",
    "Reversing beeps",
    "Bicycle",
    "Skateboard",
    "Ambulance (siren)",
    "Fire engine, fire truck (siren)",
    "Civil defense siren",
    "Police car (siren)",
    "Screaming",
    "Car",
    "Car passing by",
    "Bus",
    "Truck",
    "Motorcycle",
    "Train",
)
"""The 17 classes in the order of `sound_event_list_17_classes.txt`."""


def video_lists(root: Path) -> list[Path]:
    """The published lists in a folder and its subfolders; none if the folder has the layout of DESED."""
    if not root.is_dir() or any((root / folder).is_dir() for folder in ("metadata", "dataset/metadata")):
        return []
    return sorted(path for pattern in PATTERNS for depth in ("", "*/") for path in root.glob(depth + pattern))


def audio_folder(root: Path, audio: Path | None = None) -> Path:
    """Where the clips of a corpus are.

    Raises:
        WsedError: there is no such folder.
    """
    usual = Path(root) / "audio"
    folder = Path(audio) if audio is not None else usual if is_folder(usual) else Path(root)
    if not is_folder(folder):
        raise WsedError(f"no such folder: {folder}; set data.corpus.audio to the folder of the clips")
    return folder


def list_there(folder: Path, name: str) -> Path | None:
    """A list in a folder or in one of its subfolders; None if there is none."""
    places = (folder / name, *sorted(folder.glob(f"*/{name}")))
    return next((path for path in places if path.is_file()), None)


def find_list(folder: Path, name: str) -> Path:
    """A list in a folder or in one of its subfolders.

    Raises:
        WsedError: there is no such list.
    """
    path = list_there(folder, name)
    if path is None:
        raise WsedError(not_there(folder, name))
    return path


def not_there(folder: Path, name: str) -> str:
    """The error message for a list that is not in a folder."""
    like = near(name, {path.name for path in video_lists(folder)})
    return f"no list {name} in {folder} or a folder in it{like}; put it there, or set data.corpus.lists to its folder"


def read_classes(path: Path) -> dict[str, str]:
    """`class_labels_indices.csv`: name of each class by its id, in order.

    Raises:
        WsedError: the file is missing, or has other columns.
    """
    return {row["mid"]: row["display_name"] for _, row in read_rows(path, ("index", "mid", "display_name"))}
