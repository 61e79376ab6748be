"""Reading of the predictions of any system: a table of events, operating points, or frame scores."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.scoring.facts import Kind
from wsed.scoring.formats.confidences import confidence_of, ranked, with_confidence
from wsed.scoring.formats.event_table import (
    BLANK,
    Notes,
    as_events,
    clean_events,
    header,
    note_events,
    read_event_table,
)
from wsed.scoring.formats.exchange import is_exchange, matched, read_exchange
from wsed.scoring.formats.reference import Reference, check_clips
from wsed.scoring.formats.run_scores import frame_scores_file, read_frame_file
from wsed.scoring.formats.score_tables import Progress, fitted, read_frame_scores
from wsed.scoring.formats.thresholds import USUAL, PerLabel
from wsed.types import Events
from wsed.values import Detections, Scores

TABLES = (".tsv", ".csv", ".txt")
NUMBER = re.compile(r"(?:(?<![^\W_])[-\u2212])?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
"""A number in a file name; a minus after a letter or digit is a hyphen (`th-0.5`), elsewhere a sign (`th_-0.5`)."""
MEND = "rename it; or, if the reference only has no event of this class, name all classes with --labels"


@checked
@dataclass(frozen=True)
class Predictions:
    """The predictions of a system.

    Attributes:
        name: the path of the files.
        kind: the kind of the predictions.
        thresholds: thresholds of the operating points, rising; empty for other kinds.
        points: detections at each operating point; one entry for events, none for frame scores.
        scores: frame scores, from `read_frame_scores` or, for events with confidences, from `ranked`; else None.
        notes: warnings about the files, with counts.
        boxes: events with their confidences; None if they have none.
    """

    name: str
    kind: Kind
    thresholds: tuple[float, ...]
    points: tuple[Events, ...]
    scores: Scores | None
    notes: tuple[str, ...]
    boxes: Detections | None = None

    def used_threshold(self, threshold: PerLabel) -> PerLabel:
        """The threshold, or that of each class, that `detected(threshold)` uses; None if all events count.

        For operating points, it is the nearest of their thresholds. If no threshold is given, it is 0.5, but all events
        with confidences count, since their author has already selected them.
        """
        if self.kind == "events" and (self.boxes is None or threshold is None):
            return None
        if isinstance(threshold, tuple):
            return tuple(map(self._nearest, threshold))
        return self._nearest(USUAL if threshold is None else threshold)

    def _nearest(self, threshold: float) -> float:
        # Of two equally near thresholds the lower one; rounding errors of the differences must not decide.
        return min(self.thresholds, key=lambda t: round(abs(t - threshold), 9)) if self.thresholds else threshold

    def detected(self, threshold: PerLabel) -> Events:
        """The events at a threshold, or at that of each class; None: the threshold of `used_threshold`.

        For frame scores, they are the runs of frames with a score above it; for operating points, the detections of the
        nearest one (see `used_threshold`); for events with confidences, those above it; for other events, all.
        """
        at = self.used_threshold(threshold)
        if self.boxes is not None:
            return self.boxes.above(-math.inf if at is None else at)
        if self.scores is not None:
            assert at is not None
            return _runs_above(self.scores, at)
        if not isinstance(at, tuple):
            return self.points[0 if at is None else self.thresholds.index(at)]
        points = (self.points[self.thresholds.index(limit)] for limit in at)
        events = Events.cat(point[point.label == label] for label, point in enumerate(points))
        return events[torch.argsort(events.clip, stable=True)]

    def clip_scores(self, n_clips: int, n_labels: int) -> Float[Tensor, "clip label"] | None:
        """Scores of the classes of each clip; None for events and for a single operating point.

        For frame scores, it is the highest score, -inf for a clip without frames; for operating points, the highest
        threshold at which the class is detected in the clip, or -inf.
        """
        if self.scores is not None:
            return _highest(self.scores.split(), n_clips, n_labels)
        if len(self.thresholds) < 2:
            return None
        scores = torch.full((n_clips, n_labels), -torch.inf, dtype=torch.float64)
        for threshold, point in zip(self.thresholds, self.points, strict=True):
            scores[point.clip, point.label] = threshold
        return scores


def _highest(scores: Sequence[Tensor] | Tensor, n_clips: int, n_labels: int) -> Float[Tensor, "clip label"]:
    floor = torch.full((1, n_labels), -torch.inf, dtype=torch.float64)
    return torch.stack([torch.cat([floor, clip]).amax(0) for clip in scores]).reshape(n_clips, n_labels)


def _runs_above(scores: Scores, threshold: float | tuple[float, ...]) -> Events:
    """The runs of frames above a threshold.

    Clips are concatenated with an inactive place after each, so that a frame has the same index as its first border.
    """
    frames, lengths = scores.need_frames()
    assert scores.borders is not None
    start = (lengths + 1).cumsum(0) - lengths  # places of the first frames, after one inactive place
    place = torch.arange(len(frames)) + scores.per_frame(start - (lengths.cumsum(0) - lengths))
    active = torch.zeros(frames.shape[1], len(frames) + len(lengths) + 1, dtype=torch.int8)
    active[:, place] = (frames > torch.tensor(threshold, dtype=torch.float64)).T.to(torch.int8)
    clip = torch.repeat_interleave(torch.arange(len(lengths)), lengths + 1)
    change = active.diff(dim=1)
    (label, first), (_, stop) = (change == 1).nonzero().unbind(1), (change == -1).nonzero().unbind(1)
    order = torch.argsort(clip[first], stable=True)
    label, first, stop = label[order], first[order], stop[order]
    return Events(clip[first], label, scores.borders[first], scores.borders[stop])


def _silently(files: Sequence[Path], _what: str) -> Iterable[Path]:
    return files


def read_predictions(path: str | Path, reference: Reference, progress: Progress = _silently) -> Predictions:
    """Read the predictions of a system for the clips of `reference`, in one of these forms.

    * Events: a table `filename, onset, offset, event_label`, or files of other programs (`wsed.formats`). With a column
      `confidence` or `score`, a threshold selects the events, and they can be ranked.
    * Operating points: a folder of such tables, each with its threshold as the last number of its name. A column of
      confidences is ignored, with a note.
    * Frame scores: a folder of tables `onset, offset, CLASS, CLASS...`, one per clip, in the format of
      `sed_scores_eval`. A file has the name of its clip, with or without the extension of the sound file. Files in
      subfolders are read, too: `night/a.tsv` belongs to the clip `night/a.wav`, or else to the only clip `a.wav`.
      Other tables in subfolders are left out, with a note, if the folder itself has frame scores.
    * Frame scores of a run of wsed: `frame_scores.npz`, or the folder that holds it. They are what the network
      predicted, before the decoder of the run.

    Clips and score columns that are not in the reference are left out. Clips of the reference without predictions have
    no detections. The notes count both.

    Args:
        path: the table, or the folder with .tsv, .csv and .txt files.
        reference: the clips and the classes.
        progress: wrapped around the files of a folder.

    Raises:
        WsedError: a table does not exist or is malformed, a class is unknown or has no scores, no clip is in the
            reference, or a folder mixes kinds of files.
    """
    place, name, notes = Path(path), str(path), Notes()
    if (file := frame_scores_file(place)) is not None:
        scores = fitted(file, *read_frame_file(file), reference, notes)
        return Predictions(name, "frame scores", (), (), scores, notes.lines())
    exchange = is_exchange(place)
    if place.is_dir() and not exchange:
        files, kind = _files(place, notes)
        if kind == "frame scores":
            scores = read_frame_scores(place, files, reference, notes, progress)
            return Predictions(name, "frame scores", (), (), scores, notes.lines())
        thresholds = _thresholds(files)
        rising = sorted(thresholds)
        odd = [t for t in rising if t > 1]
        notes.add(
            "thresholds above 1: is the last number of the file name the threshold?",
            len(odd),
            odd_name(thresholds, odd),
        )
        beside = [file for file in thresholds.values() if confidence_of(file) is not None]
        matter = "operating points with a column of confidences, which is not read: the threshold of the file counts"
        notes.add(matter, len(beside), str(beside[0]) if beside else "")
        inner = progress([thresholds[t] for t in rising], "reading operating points")
        points = _detections(inner, reference, notes, name)
        return Predictions(name, "operating points", tuple(rising), points, None, notes.lines())
    if not place.exists():
        raise WsedError(f"no such file or folder: {path}")
    if not exchange and _kind(place) == "frame scores":
        raise WsedError(f"{path} has the frame scores of one clip; pass the folder with the files of all clips")
    column = None if exchange else confidence_of(place)
    boxes: list[Detections] = []
    points = _detections([place], reference, notes, name, column, boxes)
    if not boxes:
        return Predictions(name, "events", (), points, None, notes.lines())
    scores = ranked(boxes[0], reference.clip_ids, reference.durations, len(reference.labels))
    return Predictions(name, "events", (), points, scores, notes.lines(), boxes[0])


def odd_name(thresholds: Mapping[float, Path], odd: Sequence[float]) -> str:
    """The file name of the first of some thresholds, and the threshold that was read from it."""
    return f"{thresholds[odd[0]].name} is {odd[0]:g}" if odd else ""


def _files(folder: Path, notes: Notes) -> tuple[list[Path], Kind]:
    """The tables in a folder, for frame scores also those in its subfolders, and their kind.

    If the folder itself has frame scores, other tables in its subfolders are left out and noted.

    Raises:
        WsedError: there are several kinds, or no tables.
    """
    inner = (p.relative_to(folder) for p in sorted(folder.rglob("*")) if p.suffix.lower() in TABLES and p.is_file())
    every = [folder / p for p in inner if not any(part.startswith(".") for part in p.parts)]
    files = [p for p in every if p.parent == folder]
    if not files:
        if _kind_of_all(folder, every) != "frame scores":  # operating points lie in the folder itself
            raise WsedError(
                f"nothing to read in the folder {folder} itself; name the folder inside it that has the tables"
            )
        return every, "frame scores"
    kind = _kind_of_all(folder, files)
    if kind != "frame scores":
        return files, kind
    others = [file for file in every if file.parent != folder and not _may_be_scores(file)]
    notes.add("tables in subfolders that hold no frame scores, left out", len(others), "".join(map(str, others[:1])))
    left = set(others)
    return [file for file in every if file not in left], kind


def _may_be_scores(path: Path) -> bool:
    """Whether a table holds frame scores or is blank, as that of a clip without frames."""
    try:
        return _kind(path) in ("frame scores", None)
    except WsedError:
        return False


def _kind_of_all(folder: Path, files: Sequence[Path]) -> Kind:
    """The kind of the tables in a folder; blank tables are ignored.

    Raises:
        WsedError: there are several kinds, or no tables.
    """
    first: dict[Kind, Path] = {}
    for file in files:
        kind = _kind(file)
        if kind is not None:
            first.setdefault(kind, file.relative_to(folder))
    if len(first) > 1:
        events, scores = first["events"], first["frame scores"]
        raise WsedError(f"{folder} mixes tables of events ({events}) and of frame scores ({scores}); keep one kind")
    if not files:
        raise WsedError(f"nothing to read in the folder {folder}: no file in it ends in {', '.join(TABLES)}")
    return next(iter(first), "operating points")  # blank tables: a system that detects nothing at any threshold


def _kind(path: Path) -> Kind | None:
    """The kind of a table, by its header; None if the table is blank.

    Raises:
        WsedError: the header fits no kind.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        line = file.readline()
        if not line.strip() and not file.read().strip():
            return None
    names = header(path, line.rstrip("\n"))[1]
    if {"filename", "event_label"} & {*names}:
        return "events"
    if {"onset", "offset"} <= {*names}:
        return "frame scores"
    raise WsedError(
        f"{path} is not a table of predictions: its header is {', '.join(names)}, expected filename, onset, offset, "
        "event_label (events), or onset, offset and a column for each class (frame scores), with tabs or commas: "
        "rename the columns"
    )


def _thresholds(files: Iterable[Path]) -> dict[float, Path]:
    of_threshold: dict[float, Path] = {}
    for file in files:
        numbers = list(NUMBER.finditer(file.stem))
        if not numbers:
            raise WsedError(f"{file}: no threshold in the name; name operating points like predictions_th_0.5.tsv")
        threshold = _threshold(file, numbers[-1])
        before = of_threshold.setdefault(threshold, file)
        if before != file:
            raise WsedError(f"{before} and {file.name} have the same threshold, {numbers[-1][0]}; remove one of them")
    return of_threshold


def _threshold(file: Path, last: "re.Match[str]") -> float:
    """The last number of a file name; a `WsedError` if it is written with a comma, or is infinite."""
    if re.search(r"\d,$", file.stem[: last.start()]):
        raise WsedError(f"{file}: write the threshold with a point, not with a comma: predictions_th_0.5.tsv")
    threshold = float(last[0].replace("\u2212", "-"))
    if not isfinite(threshold):
        raise WsedError(f"{file}: the threshold {last[0]} is too large for a number")
    return threshold


def _detections(
    files: Iterable[Path],
    reference: Reference,
    notes: Notes,
    name: str,
    column: str | None = None,
    boxes: list[Detections] | None = None,
) -> tuple[Events, ...]:
    """The events of each file, in the clips of the reference; with a `column` of confidences, also as `boxes`."""
    clips = {clip: i for i, clip in enumerate(reference.clip_ids)}
    points: list[Events] = []
    strangers: dict[str, str] = {}
    familiar, named = False, set[str]()
    for file in files:
        table = read_exchange(file) if is_exchange(file) else read_event_table(file, column)
        table = matched(table, reference.clip_ids, reference.labels, notes)
        notes.add(BLANK, int(table.blank), str(file))
        unknown = {clip: line for clip, line in table.clips.items() if clip not in clips}
        strangers |= {clip: f"{clip!r}, {file}:{line}" for clip, line in unknown.items() if clip not in strangers}
        familiar |= len(unknown) < len(table.clips)
        named |= table.clips.keys()
        events, line = clean_events(table, clips, reference.labels, MEND, notes)
        if reference.durations is not None:
            matter = "events that start at or after the end of their clip (false alarms in event F1, ignored in PSDS)"
            note_events(notes, matter, table, line, events.onset >= reference.durations.numpy()[events.clip])
        points.append(as_events(events))
        if boxes is not None and (sure := with_confidence(table, points[-1], line)) is not None:
            boxes.append(sure)
    check_clips(list(strangers.values()), familiar, reference, notes, name)
    absent = [clip for clip in reference.clip_ids if clip not in named]
    notes.add("clips of the reference that no row names, where nothing was detected", len(absent), "".join(absent[:1]))
    return tuple(points)
