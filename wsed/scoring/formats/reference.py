"""Reading of the reference: a table of true events and a table of durations."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from wsed.data.table import RowError
from wsed.errors import WsedError
from wsed.scoring.formats.confidences import confidence_of
from wsed.scoring.formats.event_table import (
    COLUMNS,
    EventTable,
    Notes,
    as_events,
    clean_events,
    note_events,
    read_event_table,
    read_table,
)
from wsed.scoring.formats.exchange import is_exchange, read_exchange
from wsed.types import Events, Labels

TOLERANCE = 0.1
"""Seconds that an event may end after its clip without a note."""

SOFT = 0.5
"""Confidence above which an event of soft labels counts, as in DCASE 2024 task 4."""


@dataclass(frozen=True)
class Reference:
    """The true events of some clips.

    Attributes:
        clip_ids: names of the clips, sorted.
        labels: the classes.
        events: the true events; `clip` is an index into `clip_ids`.
        durations: seconds of each clip; None if they are not known.
        notes: warnings about the files, with counts.
    """

    clip_ids: tuple[str, ...]
    labels: Labels
    events: Events
    durations: Float[Tensor, " clip"] | None
    notes: tuple[str, ...]


def read_reference(path: str | Path, durations: str | Path | None = None, labels: Labels | None = None) -> Reference:
    """Read the true events of some clips from a table `filename, onset, offset, event_label`.

    Args:
        path: the table; a row with only a filename is a clip without events. Files of other programs are read too. Of
            soft labels (a column `confidence` or `score`), events above 0.5 count.
        durations: table `filename, duration` (seconds) of all clips; clips that are only in this table have no events.
        labels: the classes, if some have no events; the sorted labels of the table if None.

    Raises:
        WsedError: a table does not exist or is malformed (see `read_event_table`), there are no events, a label is
            unknown, or a clip has no duration or two different ones.
    """
    path, notes = Path(path), Notes()
    table = read_exchange(path) if is_exchange(path) else _hard(read_event_table(path, confidence_of(path)), notes)
    lengths = None if durations is None else _read_durations(Path(durations))
    names = sorted(table.clips.keys() | (lengths or {}).keys())
    labels = Labels(sorted(set(table.label))) if labels is None else labels
    clips = {name: i for i, name in enumerate(names)}
    events, line = clean_events(table, clips, labels, "rename it, or add it to --labels", notes)
    if not line.size:
        what = "is empty" if table.blank else "holds no event"
        raise WsedError(f"{path} {what}: there is nothing to score against; expected rows of {', '.join(COLUMNS)}")
    if lengths is None:
        return Reference(tuple(names), labels, as_events(events), None, notes.lines())
    absent = [name for name in names if name not in lengths]
    if absent:
        text = f"no duration for {absent[0]!r} ({path}:{table.clips[absent[0]]})"
        more = f", nor for {len(absent) - 1} other clips of the reference" if len(absent) > 1 else ""
        raise WsedError(
            f"{durations}: {text}{more}; add a row with filename and duration for each, with exactly these names"
        )
    silent = [name for name in names if name not in table.clips]
    matter = "clips that only the durations name, taken to be without events"
    notes.add(matter, len(silent), f"{silent[0]!r}, {durations}" if silent else "")
    seconds = np.array([lengths[name] for name in names])
    end = seconds[events.clip]
    matter = f"events that end more than {TOLERANCE} s after their clip, or start at its end or later"
    note_events(notes, matter, table, line, (events.offset > end + TOLERANCE) | (events.onset >= end))
    return Reference(tuple(names), labels, as_events(events), torch.from_numpy(seconds), notes.lines())


def _hard(table: EventTable, notes: Notes) -> EventTable:
    """The table without the events that are improbable by their soft labels."""
    if table.confidence is None:
        return table
    sure = table.confidence > SOFT
    keep = np.flatnonzero(sure)
    first = f"{table.path}:{table.line[~sure][0]}" if len(keep) < len(sure) else ""
    matter = f"true events of a confidence of {SOFT:g} or less, left out"
    notes.add(matter, len(sure) - len(keep), first)
    clip, label = ([column[i] for i in keep.tolist()] for column in (table.clip, table.label))
    times = table.onset[keep], table.offset[keep]
    return EventTable(table.path, table.clips, clip, label, *times, table.line[keep], table.blank)


def _read_durations(path: Path) -> dict[str, float]:
    """Read a table `filename, duration`; a repeated clip must have the same duration."""
    table = read_table(path, ("filename", "duration"), ("duration",))
    if not table.columns:
        raise WsedError(f"{path} is empty; expected rows of filename and duration")
    durations: dict[str, tuple[float, int]] = {}
    for name, seconds, line in zip(table.columns["filename"], table.seconds("duration"), table.lines, strict=True):
        if not name or not seconds > 0:
            raise RowError(
                path, line, "no filename" if not name else f"duration is {seconds:g}, expected more than 0 s"
            )
        before, at = durations.setdefault(name, (float(seconds), line))
        if before != seconds:
            text = f"{name!r} lasts {seconds:g} s, but {before:g} s in line {at}; delete the wrong row"
            raise RowError(path, line, text)
    return {name: seconds for name, (seconds, _) in durations.items()}


def check_clips(strangers: Sequence[str], familiar: bool, reference: Reference, notes: Notes, name: str) -> None:
    """Check that the files of a system name a clip of the reference, and warn about other clips.

    Args:
        strangers: the other clips, each with the place where it is named.
        familiar: whether the files name a clip of the reference.
        reference: the reference.
        notes: gets the warning.
        name: name of the files of the system, for the message.

    Raises:
        WsedError: there are only other clips.
    """
    if strangers and not familiar:
        raise WsedError(
            f"{name}: the reference has none of its {len(strangers)} clips; one is {strangers[0]}; one of "
            f"the reference is {reference.clip_ids[0]!r}. Names must be the same except for folders and suffixes"
        )
    notes.add("clips that the reference lacks, left out", len(strangers), strangers[0] if strangers else "")
