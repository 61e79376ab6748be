"""The lists of AudioSet and DCASE 2017, for `wsed data check`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wsed.data.corpus.listing import Listing, Listings, Row
from wsed.data.corpus.videos.files import VideoFiles
from wsed.data.corpus.videos.layout import CLASSES, DCASE2017_LABELS, audio_folder, read_classes
from wsed.data.corpus.videos.lists import rows
from wsed.data.findings import Finding
from wsed.data.table import RowError
from wsed.errors import WsedError, near


def read_listings(
    root: Path, lists: Sequence[Path], tables: Sequence[str] | None, max_missing: float, audio: Path | None = None
) -> Listings:
    """The lists with their malformed rows, and the classes.

    Args:
        root: the corpus.
        lists: `video_lists(root)`.
        tables: names of the lists to read; None: all.
        max_missing: share of the clips of a list that may be missing.
        audio: folder of the clips; None: see `audio_folder`.

    Raises:
        WsedError: a named list does not exist, or there is no `class_labels_indices.csv` beside AudioSet's lists.
    """
    known = {path.name: path for path in lists}
    for name in tables or ():
        if name not in known:
            raise WsedError(f"no list {name!r} in {root}{near(name, known)}: {', '.join(known)}")
    chosen = [path for name, path in known.items() if tables is None or name in tables]
    names = {label: label for label in DCASE2017_LABELS}
    beside = [path for folder in {p.parent for p in lists} if (path := folder / CLASSES).is_file()]
    if beside:
        names = read_classes(beside[0])
    elif not all(path.name.startswith("groundtruth") for path in chosen):
        raise WsedError(f"no {CLASSES} beside {chosen[0]}: put it there, it names the classes")
    folder = audio_folder(root, audio)
    files = VideoFiles(folder)
    read = tuple(_listing(path, names, files) for path in chosen)
    return Listings(root, folder, read, tuple(names.values()), max_missing)


def _listing(path: Path, names: dict[str, str], files: VideoFiles) -> Listing:
    problems: list[RowError] = []
    listed: list[Row] = []
    places: dict[str, tuple[str, float]] = {}
    timed = False
    try:
        for row in rows(path, problems):
            places[row.clip] = row.video, row.begin
            # AudioSet's strong part has labels of other classes: training leaves them out.
            labels = tuple(names.get(label, label) for label in row.labels if row.event is None or label in names)
            event = None
            if row.event is not None:
                timed = True
                if labels and row.event[1] > row.event[0]:
                    event = (labels[0], *row.event)
            listed.append(Row(row.line, row.clip, labels if event or row.event is None else (), event))
    except WsedError as error:
        return Listing(path.name, "unlabelled", (), {}, (Finding("error", "table", str(error), path.name),))
    video = np.array([place[0] for place in places.values()], dtype="S11")
    there = files.find(video, np.array([place[1] for place in places.values()]))
    paths = [
        files.path(file) if file >= 0 else files.folder / clip
        for clip, file in zip(places, there.tolist(), strict=True)
    ]
    findings = [Finding("error", "row", f"{p.text}; correct or delete the row", path.name, p.line) for p in problems]
    kind = "strong" if timed else "weak"
    return Listing(path.name, kind, tuple(listed), dict(zip(places, paths, strict=True)), tuple(findings))
