"""Clips kept as arrays, which a corpus of millions of clips gives in place of a list; and functions for both."""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
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
    """A sequence of clips that makes a `Clip` when it is asked for one, and does the rest with arrays.

    Attributes:
        notes: what the user should know of the lists that the clips come from.
    """

    notes: tuple[str, ...] = ()

    @abstractmethod
    def take(self, index: NDArray[np.int64]) -> "Columns":
        """Some of the clips, in the order of `index`."""

    @abstractmethod
    def renamed(self, source: str) -> "Columns":
        """The same clips, all of one source."""

    @abstractmethod
    def with_durations(self, seconds: Float[np.ndarray, " clip"]) -> "Columns":
        """The same clips with the seconds of their files; NaN where that is not known."""

    @property
    @abstractmethod
    def has_file(self) -> Bool[np.ndarray, " clip"]:
        """Which clips have a sound file."""

    @abstractmethod
    def path(self, index: int) -> Path:
        """The sound file of a clip, without making the clip."""

    @abstractmethod
    def row(self, index: int) -> tuple[str, str, Path]:
        """Name and source of a clip, and where its file was looked for."""

    @abstractmethod
    def used_sources(self) -> set[str]:
        """The sources that clips are of."""

    @abstractmethod
    def sounds(self) -> NDArray[np.int64]:
        """A number for each clip, equal for clips of one sound."""

    @abstractmethod
    def table(
        self, labels: Labels, end: float = inf, annotated: Mapping[str, Collection[str]] | None = None
    ) -> ClipTable:
        """What is known of the clips; arguments as in `ClipTable.of`."""


def table_of(
    clips: Sequence[Clip],
    labels: Labels,
    end: float = inf,
    annotated: Mapping[str, Collection[str]] | None = None,
) -> ClipTable:
    """What is known of clips, listed or in columns; arguments and errors as in `ClipTable.of`."""
    if isinstance(clips, Columns):
        return clips.table(labels, end, annotated)
    return ClipTable.of(clips, labels, end, annotated)


def path_of(clips: Sequence[Clip], index: int) -> Path:
    """The sound file of a clip."""
    return clips.path(index) if isinstance(clips, Columns) else clips[index].path


def take(clips: Sequence[Clip], index: NDArray[np.int64]) -> Sequence[Clip]:
    """Some of the clips, in the order of `index`."""
    return clips.take(index) if isinstance(clips, Columns) else [clips[i] for i in index.tolist()]


def with_durations(clips: Sequence[Clip], seconds: Float[np.ndarray, " clip"]) -> Sequence[Clip]:
    """The clips with the seconds of their files; of a clip that is a part of its file, the seconds stay."""
    if isinstance(clips, Columns):
        return clips.with_durations(seconds)
    return [
        clip if clip.start is not None or np.isnan(length) else replace(clip, duration=length)
        for clip, length in zip(clips, seconds.tolist(), strict=True)
    ]
