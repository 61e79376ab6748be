"""The clips of video lists that have a sound file, as arrays: an object is made of a clip when it is asked for."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy.typing import NDArray
from torch import Tensor

from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.corpus.videos.files import VideoFiles
from wsed.data.corpus.videos.lists import Segments, clip_name
from wsed.data.ragged import Ragged
from wsed.types import Labels


class Found(NamedTuple):
    """Clips of one source: where they are in their videos, the number of each one's file, and its seconds (or NaN)."""

    source: str
    segments: Segments
    file: NDArray[np.int64]
    duration: NDArray[np.float64]


@dataclass(frozen=True)
class VideoClips(Sequence[Clip]):
    """A sequence of clips in about 100 bytes each.

    Attributes:
        folder: of the sound files.
        paths: of all sound files, below it.
        file: the number of each clip's file.
        video: id of each clip's video.
        place: where the clip begins and ends in it, seconds.
        duration: seconds of its file; NaN: not known.
        source: index into `sources`.
        sources: names.
        labels: indices into `names`.
        names: the classes.
        events: of each clip, rows of label, onset and offset.
        timed: whose events are known.
    """

    folder: Path
    paths: Ragged
    file: Int[Tensor, " clip"]
    video: UInt8[Tensor, "clip letter"]
    place: Float[Tensor, "clip 2"]
    duration: Float[Tensor, " clip"]
    source: Int[Tensor, " clip"]
    sources: tuple[str, ...]
    labels: Ragged
    names: Labels
    events: Ragged
    timed: Tensor

    @staticmethod
    def of(parts: Sequence[Found], files: VideoFiles, names: Labels) -> "VideoClips":
        """The clips of all parts, one part after the other."""
        sources = tuple(dict.fromkeys(part.source for part in parts))
        segments = [part.segments for part in parts]
        lengths = torch.tensor([len(s) for s in segments])
        video = _joined([s.video for s in segments])
        return VideoClips(
            files.folder,
            files.paths,
            torch.from_numpy(_joined([part.file for part in parts])),
            torch.from_numpy(video.view(np.uint8).reshape(len(video), -1)),
            torch.from_numpy(_joined([np.stack([s.begin, s.end], 1) for s in segments])),
            torch.from_numpy(_joined([part.duration for part in parts])),
            torch.tensor([sources.index(part.source) for part in parts]).repeat_interleave(lengths),
            sources,
            Ragged.cat([s.labels for s in segments]),
            names,
            Ragged.cat([s.events for s in segments]),
            torch.cat([torch.from_numpy(s.timed) for s in segments]),
        )

    def __len__(self) -> int:
        return len(self.file)

    def __getitem__(self, index: int) -> Clip:  # type: ignore[override]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        names = self.names.names
        begin, end = self.place[index].tolist()
        events = tuple((names[int(k)], on, off) for k, on, off in self.events[index].tolist())
        seconds = float(self.duration[index])
        return Clip(
            clip_name(bytes(self.video[index].numpy()).decode(), begin, end),
            self.folder / os.fsdecode(self.paths.text(int(self.file[index]))),
            self.sources[int(self.source[index])],
            frozenset(names[k] for k in self.labels[index].tolist()),
            events if self.timed[index] else None,
            None if np.isnan(seconds) else seconds,
        )

    def table(self, end: float) -> ClipTable:
        """The clips as a data module serves them, with events cut at `end` seconds and at the end of their files."""
        stop = self.duration.nan_to_num(end).clamp(max=end)[self.events.rows]
        inside = self.events.values[:, 1] < stop
        cut = self.events.values.clone()
        cut[:, 2] = torch.minimum(cut[:, 2], stop)
        kept = torch.bincount(self.events.rows[inside], minlength=len(self))
        return ClipTable(
            clips=self,
            labels=self.labels,
            n_labels=len(self.names),
            tagged=torch.ones(len(self), dtype=torch.bool),
            timed=self.timed,
            events=cut[inside],
            first_event=Ragged.of(cut[:0], kept).first,
            source=self.source,
            sources=self.sources,
        )


def _joined(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """One after the other; a single one, which may be of millions of clips, is not copied."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
