"""Events with confidences, from a column `score` or `confidence`, and their frame scores for PSDS."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from wsed.errors import WsedError
from wsed.metrics.pairs import ranges
from wsed.scoring.formats.event_table import EventTable, header
from wsed.types import Events
from wsed.values import Detections, Scores

COLUMNS = ("confidence", "score")


def confidence_column(path: object, names: Sequence[str]) -> str | None:
    """The column of a table of events that holds confidences; None if there is none.

    Raises:
        WsedError: there are two.

    >>> confidence_column("a.tsv", ["filename", "onset", "offset", "event_label", "score"])
    'score'
    """
    there = [name for name in names if name in COLUMNS]
    if len(there) > 1:
        raise WsedError(f"{path}: more than one column of confidences ({', '.join(there)}); keep one of them")
    return there[0] if there else None


def confidence_of(path: Path) -> str | None:
    """The column of confidences that a table names in its first line; errors as in `confidence_column`."""
    if not path.is_file():
        return None  # the reader of the table reports it
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        line = file.readline().rstrip("\n")
    return confidence_column(path, header(path, line)[1]) if line.strip() else None


def with_confidence(table: EventTable, events: Events, line: np.ndarray) -> Detections | None:
    """The events of a table with the confidence of their rows; None if it has none."""
    if table.confidence is None:
        return None
    row = np.searchsorted(table.line, line)  # lines rise
    return Detections(events, torch.from_numpy(table.confidence[row]))


def ranked(detections: Detections, clip_ids: Sequence[str], durations: torch.Tensor | None, n_labels: int) -> Scores:
    """Frame scores whose runs above any threshold are the events above that threshold; -inf without an event.

    The borders of frames are all borders of events in the clip. Events of one class that overlap or touch count as one
    event; where they overlap, the highest confidence counts.

    Args:
        detections: events with confidences.
        clip_ids: the clips, with or without events.
        durations: seconds of each; None: a clip lasts until its last event ends.
        n_labels: size of the label axis.

    >>> one = Detections(Events.of([(0, 0, 1.0, 2.0)]), torch.tensor([0.75], dtype=torch.float64))
    >>> scores = ranked(one, ["a.wav"], None, n_labels=1)
    >>> scores.borders.tolist(), scores.frames.flatten().tolist()
    ([0.0, 1.0, 2.0], [-inf, 0.75])
    """
    events = detections.events
    clip, label, onset, offset = (c.numpy() for c in (events.clip, events.label, events.onset, events.offset))
    n_clips = len(clip_ids)
    every = np.arange(n_clips)
    keys = np.stack([np.concatenate([every, clip, clip]), np.concatenate([np.zeros(n_clips), onset, offset])], axis=1)
    borders, place = np.unique(keys, axis=0, return_inverse=True)
    of_clip = np.bincount(borders[:, 0].astype(np.int64), minlength=n_clips)
    frame = place.ravel()[n_clips:] - np.append(clip, clip)  # a clip has one frame less than borders
    event, at = ranges(frame[: clip.size], frame[clip.size :])
    frames = np.full((len(borders) - n_clips, n_labels), -np.inf)
    np.maximum.at(frames, (at, label[event]), detections.confidence.double().numpy()[event])
    last = borders[np.cumsum(of_clip) - 1, 1]
    return Scores(
        tuple(clip_ids),
        torch.from_numpy(last) if durations is None else durations,
        frames=torch.from_numpy(frames),
        lengths=torch.from_numpy(of_clip - 1),
        borders=torch.from_numpy(borders[:, 1].copy()),
    )
