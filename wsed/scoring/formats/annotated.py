"""Reading of the classes that were annotated in each clip, for clips of data sets with different classes."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from jaxtyping import Bool
from torch import Tensor

from wsed.data.table import RowError
from wsed.errors import WsedError, near
from wsed.scoring.formats.event_table import read_table
from wsed.types import Labels


def read_annotated(path: str | Path, clip_ids: Sequence[str], labels: Labels) -> Bool[Tensor, "clip label"]:
    r"""Read a table `filename, event_labels`: the comma-separated classes that were annotated in a clip.

    A filename may be a pattern with `*` and `?` for many clips, such as all of a data set. A row with the name of the
    clip counts before the first pattern that matches. All classes are annotated in a clip that no row matches.

    Raises:
        WsedError: the table is malformed, a class is unknown, or a row matches no clip.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "annotated.tsv")
    ...     _ = path.write_text("filename\tevent_labels\nstreet*\tCar\n", encoding="utf-8")
    ...     read_annotated(path, ["home.wav", "street_1.wav"], Labels(["Car", "Dog"])).tolist()
    [[True, True], [True, False]]
    """
    path = Path(path)
    table = read_table(path, ("filename", "event_labels"), ())
    if not table.columns:
        raise WsedError(f"{path} is empty; expected rows of filename and event_labels")
    known = torch.ones(len(clip_ids), len(labels), dtype=torch.bool)
    place = {name: i for i, name in enumerate(clip_ids)}
    free = dict.fromkeys(set(clip_ids) - set(table.columns["filename"]))
    for line, name, cell in zip(table.lines, table.columns["filename"], table.columns["event_labels"], strict=True):
        row = torch.zeros(len(labels), dtype=torch.bool)
        for label in filter(None, map(str.strip, cell.split(","))):
            if label not in labels.names:
                raise RowError(path, line, f"unknown class {label!r}{near(label, labels)}; known: {', '.join(labels)}")
            row[labels.index(label)] = True
        clips = [name] if name in place else [clip for clip in free if fnmatchcase(clip, name)]
        if not clips:
            raise RowError(path, line, f"no clip of the reference is called {name!r}{near(name, clip_ids)}")
        for clip in clips:
            known[place[clip]] = row
            free.pop(clip, None)
    return known
