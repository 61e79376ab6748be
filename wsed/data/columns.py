"""Clips as arrays, for corpora with millions of clips; and functions that take lists and arrays of clips alike."""

from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.types import Labels


class Columns(Sequence[Clip]):
    """A sequence of clips that is stored as arrays; a `Clip` is made only when an item is read. Clips are whole files.

    Attributes:
        notes: notes for the user about the lists of the clips.
    """

    notes: tuple[str, ...] = ()

    @abstractmethod
    def take(self, index: NDArray[np.int64]) -> "Columns":
        """The clips with these indices, in this order."""

    @abstractmethod
    def renamed(self, source: str) -> "Columns":
        """The same clips, all with one source."""

    @abstractmethod
    def with_durations(self, seconds: Float[np.ndarray, " clip"]) -> "Columns":
        """The same clips with the durations of their files in seconds; NaN if a duration is not known."""

    @abstractmethod
    def shortest_first(self) -> NDArray[np.int64]:
        """The clips whose durations are known, by duration."""

    @property
    @abstractmethod
    def has_file(self) -> Bool[np.ndarray, " clip"]:
        """Which clips have a sound file."""

    @abstractmethod
    def path(self, index: int) -> Path:
        """The sound file of a clip, without making the clip."""

    @abstractmethod
    def all_paths(self) -> Iterable[str]:
        """The sound files of all clips, as texts."""

    @abstractmethod
    def row(self, index: int) -> tuple[str, str, Path]:
        """Name and source of a clip, and the path where its file should be."""

    @abstractmethod
    def used_sources(self) -> set[str]:
        """The sources that have clips."""

    @abstractmethod
    def sounds(self) -> NDArray[np.int64]:
        """A number for each clip; clips of the same sound have the same number."""

    @abstractmethod
    def table(
        self, labels: Labels, end: float = inf, annotated: Mapping[str, Collection[str]] | None = None
    ) -> ClipTable:
        """The table of the clips; arguments as in `ClipTable.of`."""


def table_of(
    clips: Sequence[Clip],
    labels: Labels,
    end: float = inf,
    annotated: Mapping[str, Collection[str]] | None = None,
) -> ClipTable:
    """The table of a list of clips or of `Columns`; arguments and errors as in `ClipTable.of`."""
    if isinstance(clips, Columns):
        return clips.table(labels, end, annotated)
    return ClipTable.of(clips, labels, end, annotated)


def path_of(clips: Sequence[Clip], index: int) -> Path:
    """The sound file of a clip."""
    return clips.path(index) if isinstance(clips, Columns) else clips[index].path


def paths_of(clips: Sequence[Clip]) -> Iterable[str]:
    """The sound files of all clips, as texts.

    >>> list(paths_of([Clip("a.wav", Path("audio/a.wav"), "weak")]))
    ['audio/a.wav']
    """
    return clips.all_paths() if isinstance(clips, Columns) else (str(clip.path) for clip in clips)


def parts_of(clips: Sequence[Clip]) -> tuple[Float[np.ndarray, " clip"], Float[np.ndarray, " clip"]]:
    """Where each clip begins in its file, and how long it is, in seconds; 0 and infinite if it is the whole file.

    >>> parts_of([Clip("a.wav", Path("a.wav"), "weak"), Clip("b.wav", Path("b.wav"), "weak", start=3.0, duration=2.0)])
    (array([0., 3.]), array([inf,  2.]))
    """
    if isinstance(clips, Columns):
        return np.zeros(len(clips)), np.full(len(clips), inf)
    lengths = [inf if clip.start is None or clip.duration is None else clip.duration for clip in clips]
    return np.array([clip.start or 0.0 for clip in clips]), np.array(lengths)


def take(clips: Sequence[Clip], index: NDArray[np.int64]) -> Sequence[Clip]:
    """The clips with these indices, in this order."""
    return clips.take(index) if isinstance(clips, Columns) else [clips[i] for i in index.tolist()]


def shortest_first(clips: Sequence[Clip]) -> Iterable[Clip]:
    """The clips whose durations are known, by duration.

    >>> [clip.id for clip in shortest_first([Clip("a", Path("a"), "", duration=2.0), Clip("b", Path("b"), "")])]
    ['a']
    """
    if isinstance(clips, Columns):
        return (clips[place] for place in clips.shortest_first().tolist())
    return sorted((clip for clip in clips if clip.duration is not None), key=lambda clip: clip.duration or 0.0)


def with_durations(clips: Sequence[Clip], seconds: Float[np.ndarray, " clip"]) -> Sequence[Clip]:
    """The clips with the durations of their files in seconds; a clip that is a part of its file keeps its duration."""
    if isinstance(clips, Columns):
        return clips.with_durations(seconds)
    return [
        clip if clip.start is not None or np.isnan(length) else replace(clip, duration=length)
        for clip, length in zip(clips, seconds.tolist(), strict=True)
    ]
