"""The reference that detections are held against, read from a table of events and one of durations."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from wsed.data.table import RowError
from wsed.errors import WsedError
from wsed.scoring.formats.event_table import (
    COLUMNS,
    Notes,
    as_events,
    note_events,
    read_event_table,
    read_table,
    tidied,
)
from wsed.types import Events, Labels

TOLERANCE = 0.1
"""Seconds that an event may end after its clip without a note."""


@dataclass(frozen=True)
class Reference:
    """What is true of some clips.

    Attributes:
        clip_ids: names of the clips, sorted.
        labels: the classes.
        events: the true events; `clip` is an index into `clip_ids`.
        durations: seconds of each clip; None if they were not given.
        notes: what the user should know of the files, counted.
    """

    clip_ids: tuple[str, ...]
    labels: Labels
    events: Events
    durations: Float[Tensor, " clip"] | None
    notes: tuple[str, ...]


def read_reference(path: str | Path, durations: str | Path | None = None, labels: Labels | None = None) -> Reference:
    """The true events of some clips, from a table `filename, onset, offset, event_label`.

    Args:
        path: the table; a row with a filename only lists a clip without events.
        durations: table `filename, duration` (seconds) of all clips; those it names alone are clips without events.
        labels: the classes, where these are more than the table holds; None: those of the table, sorted.

    Raises:
        WsedError: a table is missing or malformed (see `read_event_table`), there is no event, a label is none of
            `labels`, or a clip has no duration or two.
    """
    path, notes = Path(path), Notes()
    table = read_event_table(path)
    lengths = None if durations is None else _read_durations(Path(durations))
    names = sorted(table.clips.keys() | (lengths or {}).keys())
    labels = Labels(sorted(set(table.label))) if labels is None else labels
    clips = {name: i for i, name in enumerate(names)}
    found, line = tidied(table, clips, labels, "rename it, or add it to --labels", notes)
    if not line.size:
        what = "is empty" if table.blank else "holds no event"
        raise WsedError(f"{path} {what}: there is nothing to score against; expected rows of {', '.join(COLUMNS)}")
    if lengths is None:
        return Reference(tuple(names), labels, as_events(found), None, notes.lines())
    absent = [name for name in names if name not in lengths]
    if absent:
        text = f"no duration for {absent[0]!r} ({path}:{table.clips[absent[0]]})"
        more = f", nor for {len(absent) - 1} other clips of the reference" if len(absent) > 1 else ""
        raise WsedError(f"{durations}: {text}{more}; add a row of filename and duration for each, names to the letter")
    silent = [name for name in names if name not in table.clips]
    matter = "clips that only the durations name, taken to be without events"
    notes.add(matter, len(silent), f"{silent[0]!r}, {durations}" if silent else "")
    seconds = np.array([lengths[name] for name in names])
    end = seconds[found.clip]
    matter = f"events that end more than {TOLERANCE} s after their clip, or start at its end or later"
    note_events(notes, matter, path, line, (found.offset > end + TOLERANCE) | (found.onset >= end))
    return Reference(tuple(names), labels, as_events(found), torch.from_numpy(seconds), notes.lines())


def _read_durations(path: Path) -> dict[str, float]:
    """`filename, duration`; a clip named twice must last as long both times."""
    table = read_table(path, ("filename", "duration"), ("duration",))
    if not table.columns:
        raise WsedError(f"{path} is empty; expected rows of filename and duration")
    found: dict[str, tuple[float, int]] = {}
    for name, seconds, line in zip(table.columns["filename"], table.seconds("duration"), table.lines, strict=True):
        if not name or not seconds > 0:
            raise RowError(
                path, line, "no filename" if not name else f"duration is {seconds:g}, expected more than 0 s"
            )
        before, at = found.setdefault(name, (float(seconds), line))
        if before != seconds:
            text = f"{name!r} lasts {seconds:g} s, but {before:g} s in line {at}; delete the wrong row"
            raise RowError(path, line, text)
    return {name: seconds for name, (seconds, _) in found.items()}


def check_clips(strangers: Sequence[str], familiar: bool, reference: Reference, notes: Notes, name: str) -> None:
    """Refuse a system that speaks of other clips only; note those that the reference lacks.

    Args:
        strangers: clips the reference lacks, each with where it is named.
        familiar: whether the system speaks of any other.
        reference: the clips.
        notes: takes the count.
        name: of the system's files.

    Raises:
        WsedError: there are strangers and nothing familiar.
    """
    if strangers and not familiar:
        raise WsedError(
            f"{name}: the reference has none of its {len(strangers)} clips; one is {strangers[0]}; one of "
            f"the reference is {reference.clip_ids[0]!r}. Names must agree to the letter: mind extensions and folders"
        )
    notes.add("clips that the reference lacks, left out", len(strangers), strangers[0] if strangers else "")
