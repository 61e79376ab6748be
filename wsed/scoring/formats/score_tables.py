"""Reading of frame scores in the format of `sed_scores_eval`: one table `onset, offset, CLASS, CLASS...` per clip.

Janek Ebbers, https://github.com/fgnt/sed_scores_eval.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from wsed.data.audio import SUFFIXES
from wsed.data.table import read_text
from wsed.errors import WsedError, near
from wsed.scoring.formats.event_table import BLANK, Notes, header
from wsed.scoring.formats.reference import Reference, check_clips
from wsed.scoring.formats.score_rows import Layout, ScoreTable, grids
from wsed.text import composed
from wsed.types import Labels
from wsed.values import Scores

Progress = Callable[[Sequence[Path], str], Iterable[Path]]
"""Wrapped around files, with a description of what is done with them, to show progress."""

BLOCK = 1 << 17
"""Characters that are parsed at a time, so that the arrays stay in the cache; with fewer, calls take most time."""
ODD_LENGTH = 1.0
"""Seconds by which frames may end before or after their clip without a warning."""


def read_frame_scores(
    folder: Path, files: Sequence[Path], reference: Reference, notes: Notes, progress: Progress
) -> Scores:
    """Read the frame scores of every clip of the reference; a clip without a file has no frames.

    Scores are float64, so that different scores in a file stay different: ties change a PSDS.

    Args:
        folder: the folder.
        files: the tables in it and its subfolders; each has the name of its clip, with or without the extension of the
            sound file.
        reference: the clips and the classes.
        notes: gets warnings about clips and columns that are left out or missing.
        progress: wrapped around the files.

    Returns:
        Float64 scores with the borders of their frames. Durations are those of the reference; without them, a clip
        lasts as long as its frames.

    Raises:
        WsedError: a table is malformed, tables have different classes, a class of the reference is missing, frames do
            not follow one another, two tables belong to one clip, or no table belongs to a clip of the reference.
    """
    clip_of = _clips_of(files, reference, folder)
    check_clips([str(file) for file in files if file not in clip_of], bool(clip_of), reference, notes, str(folder))
    labels = reference.labels.names
    borders = [np.zeros(1)] * len(reference.clip_ids)
    scores = [np.zeros((0, len(labels)))] * len(reference.clip_ids)
    layouts = _Layouts(labels, notes)
    for tables in _blocks(progress(list(clip_of), "reading frame scores"), layouts, notes):
        for table, grid in zip(tables, grids(tables, labels), strict=True):
            clip = clip_of[table.path]
            borders[clip] = np.append(grid[:, 0], grid[-1:, 1]) if len(grid) else np.zeros(1)
            scores[clip] = grid[:, 2:]
            if reference.durations is not None and len(grid):
                odd = abs(float(borders[clip][-1]) - float(reference.durations[clip])) > ODD_LENGTH
                matter = f"files whose frames end over {ODD_LENGTH:g} s before or after their clip"
                notes.add(matter, int(odd), str(table.path))
    _note_silent([reference.clip_ids[i] for i in sorted(set(range(len(borders))) - set(clip_of.values()))], notes)
    ends = torch.tensor([float(row[-1]) for row in borders], dtype=torch.float64)
    return Scores(
        reference.clip_ids,
        ends if reference.durations is None else reference.durations,
        frames=torch.from_numpy(np.concatenate(scores)),
        lengths=torch.tensor([len(clip) for clip in scores]),
        borders=torch.from_numpy(np.concatenate(borders)),
    )


def _blocks(files: Iterable[Path], layouts: "_Layouts", notes: Notes) -> Iterator[list[ScoreTable]]:
    """The tables of the files that are not blank, in groups of about `BLOCK` characters."""
    block: list[ScoreTable] = []
    size = 0
    for file in files:
        text = read_text(file)
        if not text.strip():
            notes.add(BLANK, 1, str(file))
            continue
        block.append(ScoreTable(file, text, layouts.of(file, text.split("\n", 1)[0])))
        size += len(text)
        if size >= BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def fitted(path: Path, labels: Labels, scores: Scores, reference: Reference, notes: Notes) -> Scores:
    """The frame scores of a run in the order of the clips and classes of a reference, with the borders of frames.

    Args:
        path: the file, for messages.
        labels: classes of the scores.
        scores: frame scores of a run.
        reference: the clips and the classes.
        notes: gets warnings about clips and classes that are left out or missing.

    Raises:
        WsedError: a class of the reference has no scores, or no clip is in the reference.
    """
    absent = [name for name in reference.labels if name not in labels.names]
    if absent:
        raise WsedError(
            f"{path} has no scores of {absent[0]!r}, a class of the reference{near(absent[0], labels)}; "
            f"it has {', '.join(labels)}"
        )
    _note_extra(sorted(set(labels) - set(reference.labels)), notes)
    place = {Path(f"{name}.npz"): i for i, name in enumerate(scores.clip_ids)}
    clip_of = _clips_of(place, reference)
    strangers = [repr(scores.clip_ids[i]) for file, i in place.items() if file not in clip_of]
    check_clips(strangers, bool(clip_of), reference, notes, str(path))
    source = {clip: place[file] for file, clip in clip_of.items()}
    _note_silent([name for i, name in enumerate(reference.clip_ids) if i not in source], notes)
    columns = torch.tensor([labels.index(name) for name in reference.labels])
    every = scores.split()
    frames = [
        every[source[i]][:, columns] if i in source else every[0][:0, columns] for i in range(len(reference.clip_ids))
    ]
    lengths = torch.tensor([len(clip) for clip in frames])
    borders = torch.cat([torch.arange(n + 1, dtype=torch.float64) / scores.frame_rate for n in lengths.tolist()])
    ends = [float(scores.durations[source[i]]) if i in source else 0.0 for i in range(len(frames))]
    seconds = torch.tensor(ends, dtype=torch.float64) if reference.durations is None else reference.durations
    return Scores(reference.clip_ids, seconds, frames=torch.cat(frames), lengths=lengths, borders=borders)


def _note_extra(classes: Sequence[str], notes: Notes) -> None:
    matter = "score columns of other classes than the reference, left out (--labels makes their false alarms count)"
    notes.add(matter, len(classes), ", ".join(classes[:1]))


def _note_silent(clips: Sequence[str], notes: Notes) -> None:
    matter = "clips of the reference without a file of scores, where nothing is detected"
    notes.add(matter, len(clips), repr(clips[0]) if clips else "")


def _clips_of(files: Iterable[Path], reference: Reference, folder: Path | None = None) -> dict[Path, int]:
    """The clip of each file.

    A file belongs to the clip with the same path in the folder, with or without audio extension. If there is none, it
    belongs to the clip with the same name without folder and audio extension, unless another file has that clip's path.
    """
    by_path, by_stem = _Clips(reference.clip_ids), _Clips(reference.clip_ids, folders=False)
    clip_of: dict[Path, int] = {}
    taken: dict[int, Path] = {}
    left = []
    for file in files:
        inner = file if folder is None else file.relative_to(folder)
        name = composed(inner.with_suffix("").as_posix())
        if (clip := by_path.of(file, name)) is None:
            left.append(file)
        else:
            _take(clip, file, clip_of, taken, reference)
    sure = set(taken)
    for file in left:
        clip = by_stem.of(file, composed(file.stem))
        if clip is not None and clip not in sure:
            _take(clip, file, clip_of, taken, reference)
    return clip_of


def _take(clip: int, file: Path, clip_of: dict[Path, int], taken: dict[int, Path], reference: Reference) -> None:
    """Record that a file belongs to a clip; a `WsedError` if another file does."""
    if taken.setdefault(clip, file) != file:
        raise WsedError(
            f"{taken[clip]} and {file.name} both belong to the clip {reference.clip_ids[clip]!r}; remove one of them"
        )
    clip_of[file] = clip


class _Clips:
    """Clips by their name, with or without audio extension; without `folders`, by the name without folders, too."""

    def __init__(self, names: Sequence[str], *, folders: bool = True) -> None:
        self._names = names
        self._exact = {name: i for i, name in enumerate(names)}
        self._bare: dict[str, list[int]] = {}
        for name, i in self._exact.items():
            path = PurePosixPath(name) if folders else PurePosixPath(PurePosixPath(name).name)
            bare = path.with_suffix("") if path.suffix.lower() in SUFFIXES else path
            for key in {path.as_posix(), bare.as_posix()}:
                self._bare.setdefault(key, []).append(i)

    def of(self, file: Path, name: str) -> int | None:
        """The clip with this name; None if there is none.

        Raises:
            WsedError: several clips have the name.
        """
        clips = [self._exact[name]] if name in self._exact else self._bare.get(name, [])
        if len(clips) > 1:
            names = " and ".join(repr(self._names[i]) for i in clips[:2])
            raise WsedError(f"{file} may be of {names}; name score files like the clips with extension, plus .tsv")
        return clips[0] if clips else None


class _Layouts:
    """The layout of each header, parsed once, since most files of a folder have the same header."""

    def __init__(self, labels: Sequence[str], notes: Notes) -> None:
        self._labels, self._notes = labels, notes
        self._known: dict[str, Layout] = {}
        self._first = Path()

    def of(self, file: Path, line: str) -> Layout:
        """The layout of a file, from its first line.

        Raises:
            WsedError: a column occurs twice, a class of the reference has no column, or files have different classes.
        """
        if line not in self._known:
            layout = self._read(file, line)
            before = next(iter(self._known.values()), layout)
            if layout.classes != before.classes:
                odd = sorted(layout.classes ^ before.classes)[0]
                which, where = (file, self._first) if odd in layout.classes else (self._first, file)
                raise WsedError(f"{which} has a column {odd!r} and {where} has none: all must have the same classes")
            if not self._known:
                self._begin(file, layout)
            self._known[line] = layout
        return self._known[line]

    def _read(self, file: Path, line: str) -> Layout:
        separator, names = header(file, line)
        twice = sorted({name for name in names if name and names.count(name) > 1})
        if twice:
            raise WsedError(f"{file}: more than one column {twice[0]}; every class has one column")
        absent = [name for name in ("onset", "offset", *self._labels) if name not in names]
        classes = frozenset(names) - {"onset", "offset", ""}  # pandas writes row numbers in a column without a name
        if absent:
            what = f"no column for {absent[0]!r}, a class of the reference{near(absent[0], classes)}"
            more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
            raise WsedError(f"{file}: {what}{more}; add it, or rename a column; its header is {list(names)}")
        places = tuple(names.index(name) for name in ("onset", "offset", *self._labels))
        return Layout(separator, len(names), places, classes)

    def _begin(self, file: Path, layout: Layout) -> None:
        self._first = file
        _note_extra(sorted(layout.classes - set(self._labels)), self._notes)
