"""WAA: segments of a chosen length around the one event of each clip, in batches balanced by class."""

import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from torch.utils.data import Dataset

from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.collate import Collate
from wsed.data.corpus import desed_layout as layout
from wsed.data.module import DATA, SEDDataModule
from wsed.data.reading.features import FeatureCollate, FeatureDataset, keep
from wsed.data.reading.files import ClipDataset, Item
from wsed.data.sampling.episodes import ClassSampler
from wsed.errors import WsedError
from wsed.registry import check_option
from wsed.types import Needs

Placement = Literal["walle", "contained", "centered"]

TABLES = {
    "train": "train/strong",
    "validation": "validation/validation",
    "test": "eval/public",
    "predict": "eval/public",
}
"""Table of each stage, as `wsed data synth` writes them."""


@DATA.register("waa")
class WAA(SEDDataModule):
    """One segment of each clip, cut where its event is: a corpus of `wsed data synth --recipe waa` (or `waa_200ms`).

    Turpault, Serizel & Vincent, "Limitations of weak labels for embedding and tagging" (ICASSP 2020): the label of a
    segment says less the longer it is. A clip's segment is the same in all epochs and runs.

    A training batch holds `per_class` clips of each of `classes` classes. An epoch ends where the smallest class has
    no clips left: with 270 clips of each class and one of each in a batch after 270 batches.

    Args:
        root: the corpus; each clip holds one event.
        segment: length of the training and validation segments, seconds; the paper's are 0.2, 1 and 10.
        test_segment: length of the test segments, seconds; None: `segment`.
        placement: where a segment lies, see `segment_start`.
        placement_seed: of the random places, which depend on it and on the name of the clip alone.
        classes: in a training batch; None: all.
        per_class: clips of each of them in a training batch, per process; None: as many as the losses need, or 1.
        labels: the classes; None reads `metadata/labels.txt`, or takes those of the training clips, sorted.
        workers: processes that read audio; 0 reads in the main process.
        keep_audio: keep the segments in memory after the first epoch (2,700 of 10 s at 16 kHz: 1.7 GB).
        features: folder for the features of all segments, computed once for all runs (2,700 of 10 s: 0.7 GB on disk);
            audio is then not read again. None: each batch is computed from its audio.
        loading: the other settings of `SEDDataModule`.

    Raises:
        WsedError: a setting is out of its range.
    """

    def __init__(
        self,
        root: Path,
        segment: float = 1.0,
        test_segment: float | None = None,
        placement: Placement = "walle",
        placement_seed: int = 0,
        classes: int | None = None,
        per_class: int | None = None,
        labels: Sequence[str] | None = None,
        workers: int = 0,
        keep_audio: bool = True,
        features: Path | None = None,
        **loading: Any,
    ) -> None:
        check_option("data waa", "placement", placement, get_args(Placement))
        counts = {"segment": segment, "test_segment": test_segment, "classes": classes, "per_class": per_class}
        for name, value in counts.items():
            if value is not None and value <= 0:
                raise WsedError(f"data.{name} must be above 0, not {value}")
        self.root, self.stages = Path(root), {name: table for name, table in TABLES.items() if name != "train"}
        self.segment, self.test_segment = segment, test_segment
        self.features = None if features is None else Path(features)
        self._kept: dict[tuple[str, bool], FeatureDataset] = {}
        self.placement: Placement = placement
        self.placement_seed, self.classes, self.per_class = placement_seed, classes, per_class
        found = labels or layout.classes(self.root, lambda: (tag for c in self.read("train") for tag in c.tags or ()))
        super().__init__(found, batch={"train": 1}, duration=None, workers=workers, keep_audio=keep_audio, **loading)

    def read(self, stage: str) -> list[Clip]:
        return layout.read_clips(self.root, TABLES[stage], source=stage)

    def _arrays(self, clips: Sequence[Clip]) -> ClipTable:
        return super()._arrays([self._cut(clip) for clip in clips])

    def _cut(self, clip: Clip) -> Clip:
        """The segment of a clip: its part of the event, in seconds from the segment's start, and where to read it."""
        assert clip.duration is not None
        name = "test_segment" if clip.source in ("test", "predict") and self.test_segment else "segment"
        seconds: float = getattr(self, name)
        if len(clip.events or ()) != 1:
            raise WsedError(
                f"clip {clip.id} of {self.root} holds {len(clip.events or ())} events, and segments are cut where the "
                "one event of a clip is; make the corpus with `wsed data synth --recipe waa`"
            )
        if seconds > clip.duration:
            raise WsedError(
                f"data.{name} is {seconds:g} s, but clip {clip.id} of {self.root} lasts {clip.duration:g} s; "
                f"set data.{name} to {clip.duration:g} or less"
            )
        ((label, onset, offset),) = clip.events or ()
        chance = np.random.default_rng([self.placement_seed, zlib.crc32(clip.id.encode())]).random()
        begin = segment_start(onset, min(offset, clip.duration), seconds, clip.duration, self.placement, chance)
        onset, offset = max(onset - begin, 0.0), min(offset - begin, seconds)
        events = ((label, onset, offset),) if onset < offset else ()
        return replace(clip, events=events, duration=seconds, span=(begin, seconds))

    def _dataset(self, stage: str, rate: int) -> Dataset[Item]:
        return super()._dataset(stage, rate) if self.features is None else self._features(stage, rate)

    def _collate(self, stage: str, rate: int) -> Collate:
        if self.features is None:
            return super()._collate(stage, rate)
        return FeatureCollate(self.table(stage), self._features(stage, rate).n_samples)

    def _features(self, stage: str, rate: int) -> FeatureDataset:
        """Those of a stage's segments, computed where no run has left them."""
        assert self.features is not None
        frontend = getattr(self._network(), "frontend", None)
        if frontend is None:
            raise WsedError("data.features needs a network with one frontend (composed); set it to null")
        key = (stage, frontend.learned)  # what it keeps may be another thing once it has seen the training set
        if key not in self._kept:
            self._kept[key] = keep(self.features, ClipDataset(self.table(stage), rate), frontend)
        return self._kept[key]

    def _shape(self) -> tuple[int, int]:
        """Classes, and clips of each, in a training batch."""
        need = reduce(or_, self._needs().values(), Needs())
        return self.classes or len(self.labels), self.per_class or max(1, need.per_class)

    def _batches(self, table: ClipTable) -> ClassSampler:
        return ClassSampler(table.tags.argmax(1), *self._shape(), self.seed, *self._rank())

    def _check_task(self) -> None:
        super()._check_task()
        network = self._network()
        for name in ("segment", "test_segment"):
            seconds = getattr(self, name)
            if network is not None and seconds is not None and seconds * network.frame_rate < 1 - 1e-6:
                frame = f"{1 / network.frame_rate:g} s"
                raise WsedError(
                    f"data.{name} is {seconds:g} s, less than one frame of the network ({frame}): give {frame} or more"
                )

    def _check_needs(self, table: ClipTable) -> None:
        classes, per_class = self._shape()
        self.batch = {"train": classes * per_class}
        super()._check_needs(table)
        if classes > len(self.labels):
            raise WsedError(f"data.classes is {classes}, but there are {len(self.labels)}: set it to that, or to null")
        counts = dict(zip(self.labels, map(int, self.label_counts()), strict=True))
        scarce, ranks = min(counts, key=lambda label: counts[label]), self._rank()[1]
        if counts[scarce] < per_class * ranks:
            losses = [f"loss {loss!r}" for loss, need in self._needs().items() if need.per_class == per_class]
            each = f" of each of {ranks} processes" if ranks > 1 else ""
            fewer = "set the loss to need fewer (shot and query of prototypical)" if losses else "lower data.per_class"
            raise WsedError(
                f"{', '.join(losses) or 'data.per_class'} asks for {per_class} clips of each class in a batch{each}, "
                f"but {self.root} has {counts[scarce]} training clip(s) of {scarce!r}: make more "
                f"(`wsed data synth --clips train=N`), or {fewer}"
            )

    def _check_classes(self, loss: str, need: Needs) -> None:
        if need.classes > len(self.labels):
            raise WsedError(
                f"loss {loss!r} needs batches of {need.classes} classes, but there are {len(self.labels)} "
                f"({', '.join(self.labels)}): set data.root and data.labels to more classes, or drop the loss"
            )
        for name, least in (("classes", need.classes), ("per_class", need.per_class)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise WsedError(
                    f"loss {loss!r} needs batches with {name} of {least} or more; data.{name} is {value}: "
                    f"set it to {least}, or to null"
                )


def segment_start(
    onset: float, offset: float, length: float, duration: float, placement: Placement, chance: float
) -> float:
    """Where the segment of a clip begins, in seconds from the clip's start.

    `walle` is the rule of the authors' code: the segment begins up to its length before an event that fits into it, and
    up to its length before or after the onset of a longer one, so it may miss parts even of events that would fit.
    `contained`: it holds the whole event, or lies within it, at random. `centered`: their middles agree. In each case
    it is moved into the clip where it would reach out of it.

    Args:
        onset: of the event, seconds.
        offset: of the event, seconds.
        length: of the segment, seconds; `duration` at most.
        duration: of the clip, seconds.
        placement: the rule.
        chance: drawn uniformly from [0, 1).
    """
    if placement == "centered":
        begin = (onset + offset - length) / 2
    elif placement == "contained":
        first, last = sorted((onset, offset - length))
        first, last = max(first, 0.0), min(last, duration - length)
        begin = first + chance * (last - first)
    elif offset - onset > length + 1e-6:  # events of 0.2 s fit into a segment of 0.2 s, whatever rounding says
        begin = onset + length * (2 * chance - 1)
    else:
        begin = onset - length * chance
    return min(max(begin, 0.0), duration - length)
