"""The clips of lists of videos as arrays; a `Clip` is made only when an item is read."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from numpy.typing import NDArray
from torch import Tensor

from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable, annotated_classes
from wsed.data.columns import Columns
from wsed.data.corpus.videos.files import VideoFiles
from wsed.data.corpus.videos.lists import ListedClips, clip_name
from wsed.data.ragged import Ragged
from wsed.types import Labels

Number = TypeVar("Number", bound=np.generic)


class Located(NamedTuple):
    """The listed clips of a source, and the index of the file of each clip (-1: no file)."""

    source: str
    listed: ListedClips
    file: NDArray[np.int64]


@dataclass(frozen=True)
class VideoClips(Columns):
    """A sequence of clips that needs about 100 bytes per clip.

    Attributes:
        folder: folder of the sound files.
        paths: paths of all sound files, relative to the folder.
        file: index of the file of each clip; -1: no file.
        video: id of the video of each clip.
        place: begin and end of each clip in its video, in seconds.
        duration: duration of the file in seconds; NaN if it is not known.
        source: index of the source of each clip.
        sources: names of the sources.
        held: indices of the classes of each clip.
        names: the classes.
        events: label, onset and offset of the events of each clip.
        timed: which clips have known events, even if there are none.
        notes: notes for the user about the lists.
    """

    folder: Path
    paths: Ragged
    file: Int[Tensor, " clip"]
    video: UInt8[Tensor, "clip letter"]
    place: Float[Tensor, "clip 2"]
    duration: Float[Tensor, " clip"]
    source: Int[Tensor, " clip"]
    sources: tuple[str, ...]
    held: Ragged
    names: Labels
    events: Ragged
    timed: Bool[Tensor, " clip"]
    notes: tuple[str, ...] = ()

    @staticmethod
    def of(parts: Sequence[Located], files: VideoFiles, names: Labels) -> "VideoClips":
        """The clips of all parts, one part after the other."""
        sources = tuple(dict.fromkeys(part.source for part in parts))
        lists = [part.listed for part in parts]
        lengths = torch.tensor([len(listed) for listed in lists])
        video = _joined([listed.video for listed in lists])
        return VideoClips(
            folder=files.folder,
            paths=files.paths,
            file=torch.from_numpy(_joined([part.file for part in parts])),
            video=torch.from_numpy(video.view(np.uint8).reshape(len(video), -1)),
            place=torch.from_numpy(_joined([np.stack([listed.begin, listed.end], 1) for listed in lists])),
            duration=torch.full((len(video),), torch.nan, dtype=torch.float64),
            source=torch.tensor([sources.index(part.source) for part in parts]).repeat_interleave(lengths),
            sources=sources,
            held=Ragged.cat([listed.labels for listed in lists]),
            names=names,
            events=Ragged.cat([listed.events for listed in lists]),
            timed=torch.cat([torch.from_numpy(listed.timed) for listed in lists]),
            notes=tuple(
                f"{listed.path.name}: {listed.others} labels are of other classes and left out"
                for listed in lists
                if listed.others
            ),
        )

    def __len__(self) -> int:
        return len(self.file)

    def __getitem__(self, index: int) -> Clip:  # type: ignore[override]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        names = self.names.names
        events = tuple((names[int(k)], on, off) for k, on, off in self.events[index].tolist())
        seconds = float(self.duration[index])
        return Clip(
            self._name(index),
            self.path(index),
            self.sources[int(self.source[index])],
            frozenset(names[k] for k in self.held[index].tolist()),
            events if self.timed[index] else None,
            None if np.isnan(seconds) else seconds,
        )

    def _name(self, index: int) -> str:
        begin, end = self.place[index].tolist()
        return clip_name(bytes(self.video[index].numpy()).decode(), begin, end)

    def take(self, index: NDArray[np.int64]) -> "VideoClips":
        """Some of the clips, in the order of `index`."""
        rows = torch.from_numpy(index)
        return replace(
            self,
            file=self.file[rows],
            video=self.video[rows],
            place=self.place[rows],
            duration=self.duration[rows],
            source=self.source[rows],
            held=self.held.take(rows),
            events=self.events.take(rows),
            timed=self.timed[rows],
        )

    def renamed(self, source: str) -> "VideoClips":
        """The same clips, all of one source."""
        return replace(self, source=torch.zeros_like(self.source), sources=(source,))

    def shortest_first(self) -> NDArray[np.int64]:
        """The clips whose durations are known, by duration."""
        known = self.duration.isfinite().nonzero().flatten()
        order: NDArray[np.int64] = known[self.duration[known].argsort(stable=True)].numpy()
        return order

    def with_durations(self, seconds: Float[np.ndarray, " clip"]) -> "VideoClips":
        """The same clips with the seconds of their files."""
        return replace(self, duration=torch.from_numpy(seconds))

    @property
    def has_file(self) -> Bool[np.ndarray, " clip"]:
        """Which clips have a sound file."""
        return self.file.numpy() >= 0

    def path(self, index: int) -> Path:
        """The sound file of a clip, or where it should be."""
        file = int(self.file[index])
        return self.folder / (os.fsdecode(self.paths.text(file)) if file >= 0 else self._name(index))

    def all_paths(self) -> Iterator[str]:
        """The sound file of each clip, or where it should be."""
        folder = os.path.join(self.folder, "")  # noqa: PTH118 - a Path takes ten times as long for each clip
        for index, path in enumerate(self.paths.texts_of(self.file)):
            yield folder + (os.fsdecode(path) or self._name(index))

    def row(self, index: int) -> tuple[str, str, Path]:
        """Name and source of a clip, and the folder where its file should be."""
        return self._name(index), self.sources[int(self.source[index])], self.folder

    def used_sources(self) -> set[str]:
        """The sources that have clips."""
        return {self.sources[number] for number in set(self.source.tolist())}

    def sounds(self) -> NDArray[np.int64]:
        """A number for each clip; clips of the same part of a video have the same number."""
        begin = np.rint(1000 * self.place[:, :1].numpy()).astype(np.int64)
        rows = np.concatenate([self.video.numpy(), begin.view(np.uint8)], axis=1)
        _, number = np.unique(np.ascontiguousarray(rows).view(f"V{rows.shape[1]}")[:, 0], return_inverse=True)
        return number.astype(np.int64)

    def table(
        self, labels: Labels, end: float = inf, annotated: Mapping[str, Collection[str]] | None = None
    ) -> ClipTable:
        """The tags and events of the clips, with events cut at `end` seconds and at the end of their files.

        A tag is left out if all its events begin later.
        """
        stop = self.duration.nan_to_num(end).clamp(max=end)[self.events.rows]
        inside = self.events.values[:, 1] < stop
        cut = self.events.values.clone()
        cut[:, 2] = torch.minimum(cut[:, 2], stop)
        kept = torch.bincount(self.events.rows[inside], minlength=len(self))
        tag = self.events.rows * len(self.names) + self.events.values[:, 0].long()  # a number for each class of a clip
        beyond = tag[~inside][~torch.isin(tag[~inside], tag[inside])]
        return ClipTable(
            clips=self,
            labels=self._held_without(beyond),
            n_labels=len(self.names),
            tagged=torch.ones(len(self), dtype=torch.bool),
            timed=self.timed,
            events=cut[inside],
            first_event=Ragged.of(cut[:0], kept).first,
            source=self.source,
            sources=self.sources,
            annotated=annotated_classes(self.sources, labels, annotated),
            end=end,
        )

    def _held_without(self, tags: Int[Tensor, " tag"]) -> Ragged:
        """The classes of each clip except for some tags, which are numbers `clip * n_labels + label`."""
        if not len(tags):
            return self.held
        kept = ~torch.isin(self.held.rows * len(self.names) + self.held.values, tags)
        return Ragged.of(self.held.values[kept], torch.bincount(self.held.rows[kept], minlength=len(self)))


def _joined(arrays: Sequence[NDArray[Number]]) -> NDArray[Number]:
    """The arrays, one after the other; a single array is not copied, since it may have millions of clips."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
