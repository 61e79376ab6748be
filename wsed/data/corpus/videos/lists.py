"""Published lists of clips of YouTube videos: AudioSet, its strong part, DCASE 2017 task 4.

    AudioSet             # comments, then  --PJHxphWEs, 30.000, 40.000, "/m/09x0r,/t/dd00088"
    its strong part      a header, then    s9d-2nhuJCQ_30000 <tab> 2.627 <tab> 7.237 <tab> /m/053hz1
    DCASE 2017, tags     no header         2ceUOv8A3FE_20.000_30.000.wav <tab> 20.000 <tab> 30.000 <tab> Train horn
    DCASE 2017, events   the same with onset and offset in the clip; both 0 where the annotators found no event

The kind of a list follows from its columns. Only the two kinds of DCASE 2017 differ by their file name
(`..._strong_...`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from numpy.typing import NDArray

from wsed.data import table as tsv
from wsed.data.corpus.videos.list_arrays import IrregularError, parse
from wsed.data.ragged import Ragged
from wsed.data.table import Problems, RowError
from wsed.errors import WsedError, near

VIDEO = re.compile(r"[\w-]{11}")
DCASE2017 = re.compile(r"Y?([\w-]{11})_(\d+\.?\d*)_(\d+\.?\d*)(\.\w+)?")
STRONG = re.compile(r"([\w-]{11})_(\d+)")
CUT = 10.0
"""Seconds of a clip of AudioSet's strong part; its list does not hold them."""


class Row(NamedTuple):
    """One row of a list: the video, begin and end of the clip in it (seconds), and its labels or one event.

    `event` is None if the list has no events; onset and offset are equal if the row lists a clip without events.
    """

    line: int
    video: str
    begin: float
    end: float
    labels: tuple[str, ...]
    event: tuple[float, float] | None = None

    @property
    def clip(self) -> str:
        """Name of the clip."""
        return clip_name(self.video, self.begin, self.end)


@dataclass(frozen=True)
class ListedClips:
    """The clips of a list as arrays.

    Attributes:
        path: the list.
        video: id of the video of each clip, 11 letters.
        begin: begin of each clip in its video, in seconds.
        end: end of each clip in its video, in seconds.
        labels: indices of the classes of each clip.
        events: label, onset and offset of the events of each clip (float64).
        timed: which clips have known events.
        others: labels in the list that are not among the classes and were left out.
    """

    path: Path
    video: Shaped[np.ndarray, " clip"]
    begin: Float[np.ndarray, " clip"]
    end: Float[np.ndarray, " clip"]
    labels: Ragged
    events: Ragged
    timed: Bool[np.ndarray, " clip"]
    others: int = 0

    def __len__(self) -> int:
        return len(self.video)

    def take(self, index: NDArray[np.int64]) -> "ListedClips":
        """Some of the clips."""
        rows = torch.from_numpy(index)
        where = self.video[index], self.begin[index], self.end[index]
        known = self.labels.take(rows), self.events.take(rows), self.timed[index]
        return ListedClips(self.path, *where, *known, self.others)

    def name(self, clip: int) -> str:
        """Name of a clip as in DCASE 2017 and DESED, without their leading `Y`."""
        return clip_name(self.video[clip].decode(), self.begin[clip], self.end[clip])


def clip_name(video: str, begin: float, end: float) -> str:
    """`2ceUOv8A3FE_20.000_30.000.wav`."""
    return f"{video}_{begin:.3f}_{end:.3f}.wav"


def read_list(path: Path, classes: Mapping[str, int], others: bool = False) -> ListedClips:
    """A list in any of the formats.

    Args:
        path: the list.
        classes: index of each label as the list writes it (in AudioSet its id, `/m/09x0r`).
        others: leave out labels that are not in `classes`.

    Raises:
        RowError: a row cannot be understood, or holds a label that is not in `classes`.
        WsedError: the file is missing, or is not text.
    """
    if _form(path) == "audioset":
        try:
            video, begin, end, label, count = parse(path, classes)
            labels = Ragged.of(torch.from_numpy(label), torch.from_numpy(count))
            return ListedClips(path, video, begin, end, labels, *_no_events(len(video)))
        except IrregularError:  # reading it row by row says which row is wrong
            pass
    return _slow(path, classes, others)


def with_events(segments: ListedClips, strong: ListedClips) -> ListedClips:
    """The clips of one list, with the events of those that another list names."""
    place = {key: i for i, key in enumerate(zip(strong.video.tolist(), strong.begin.tolist(), strict=True))}
    rows = [place.get(key, -1) for key in zip(segments.video.tolist(), segments.begin.tolist(), strict=True)]
    known = np.array(rows) >= 0
    nothing, _ = _no_events(1)  # row -1, of clips that are not listed
    return replace(segments, events=Ragged.cat([strong.events, nothing]).take(torch.tensor(rows)), timed=known)


def _no_events(n_clips: int) -> tuple[Ragged, Bool[np.ndarray, " clip"]]:
    nothing = torch.zeros(0, 3, dtype=torch.float64)
    return Ragged.of(nothing, torch.zeros(n_clips, dtype=torch.long)), np.zeros(n_clips, dtype=bool)


def _slow(path: Path, classes: Mapping[str, int], others: bool) -> ListedClips:
    """Any list, a row at a time; rows of one clip are joined."""
    clips: dict[tuple[str, float, float], tuple[set[int], list[tuple[int, float, float]]]] = {}
    left_out, timed = 0, False
    for row in rows(path):
        tags, events = clips.setdefault((row.video, row.begin, row.end), (set(), []))
        timed = row.event is not None
        for label in row.labels:
            if label not in classes and not others:
                raise RowError(path, row.line, f"unknown label {label!r}{near(label, classes)} ({row.clip})")
            index = classes.get(label, -1)
            left_out += index < 0
            if index >= 0 and (row.event is None or row.event[1] > row.event[0]):
                tags.add(index)
                events += [(index, *row.event)] if row.event else []
    if not clips:
        raise WsedError(f"{path} lists no clips")
    video, begin, end = zip(*clips, strict=True)
    held, timings = zip(*clips.values(), strict=True)
    times = torch.tensor([e for events in timings for e in events], dtype=torch.float64).reshape(-1, 3)
    return ListedClips(
        path,
        np.array(video, dtype="S11"),
        np.array(begin),
        np.array(end),
        Ragged.lists(map(sorted, held)),
        Ragged.of(times, torch.tensor([len(events) for events in timings])),
        np.full(len(clips), timed),
        left_out,
    )


def rows(path: Path, problems: Problems = None) -> Iterator[Row]:
    """The rows of a list in any of the formats.

    Args:
        path: the list.
        problems: where rows that cannot be understood are put; None raises the first of them.

    Raises:
        RowError: a row cannot be understood.
        WsedError: the file is missing, or is not text.
    """
    form = _form(path)
    lines = tsv.read_text(path).split("\n")
    cut = re.compile("#|YTID") if form == "audioset" else re.compile("segment_id" if form == "strong" else "$^")
    kept = ["" if cut.match(line) else line.lstrip() for line in lines]
    spaced = [line.replace(', "', ',"') for line in kept] if form == "audioset" else kept
    for line, cells in tsv.split_rows(path, spaced, "," if form == "audioset" else "\t"):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            yield _row(form, line, [cell.strip() for cell in cells])
        except WsedError as error:
            tsv.report(RowError(path, line, str(error)), problems)


def labels_of_strong(path: Path) -> frozenset[str] | None:
    """The labels that occur in a list of AudioSet's strong part; None for other lists.

    Raises:
        WsedError: the file is missing, or is not text.
    """
    if _form(path) != "strong":
        return None
    return frozenset(line.rpartition("\t")[2].strip() for line in tsv.read_text(path).split("\n"))


def _form(path: Path) -> str:
    """`audioset`, `strong` (AudioSet's), `tags` or `events` (DCASE 2017)."""
    if not path.is_file():
        raise WsedError(f"no such list: {path}")
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        line = next((line for line in file if line.strip() and not line.startswith("#")), "")
    first = line.split("\t")[0]
    if len(first) == len(line):
        return "audioset"
    if first == "segment_id" or STRONG.fullmatch(first):
        return "strong"
    return "events" if "strong" in path.name else "tags"


COLUMNS = {
    "audioset": "YTID, start_seconds, end_seconds, positive_labels",
    "strong": "segment_id, start_time_seconds, end_time_seconds, label",
    "tags": "filename, start, end, label",
    "events": "filename, onset, offset, label",
}


def _row(form: str, line: int, cells: list[str]) -> Row:
    if len(cells) != 4 or not cells[3]:
        raise WsedError(f"{len(cells)} cells, expected 4 with tags in the last: {COLUMNS[form]}")
    name, start, stop, label = cells
    first, last = _seconds(start, "the start"), _seconds(stop, "the end")
    if last < first or (last == first and form != "events"):
        raise WsedError(f"the end {last:g} is not after the start {first:g} ({name})")
    if form == "audioset":
        if not VIDEO.fullmatch(name):
            raise WsedError(f"{name!r} is not the id of a video (11 letters)")
        return Row(line, name, first, last, tuple(part.strip() for part in label.split(",") if part.strip()))
    if form == "strong":
        if not (match := STRONG.fullmatch(name)):
            raise WsedError(f"{name!r} is not a segment_id (id of the video, _, milliseconds)")
        begin = int(match[2]) / 1000
        return Row(line, match[1], begin, begin + CUT, (label,), (first, last))
    if not (match := DCASE2017.fullmatch(name)):
        raise WsedError(f"{name!r} is not the name of a clip (id of the video, _, start, _, end)")
    place = match[1], float(match[2]), float(match[3])
    if form == "events":
        return Row(line, *place, (label,), (first, last))
    if (first, last) != place[1:]:
        raise WsedError(f"the row of {name} has the times {first:g} to {last:g} s, which differ from its name")
    return Row(line, *place, (label,))


def _seconds(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise WsedError(f"{what} is {text!r}, expected seconds (a number, 0 or more)")
    return value
