"""What is needed only for the figures of Pellegrini & Cances 2019, by import path in YAML.

`evaluation: {decoder: {class_path: experiments.cosine_penalty.readings.MiscountingDecoder, init_args: {...}}}`,
`data: {corpus: {class_path: experiments.cosine_penalty.readings.DCASE2018, init_args: {root: DIR}}}`.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from wsed.data.clip import Clip
from wsed.data.corpus import desed_layout as layout
from wsed.data.corpus.desed import DESED
from wsed.decoding import Decoder, StepDecoder
from wsed.decoding.steps import PerLabel, Runs, hysteresis, threshold
from wsed.errors import WsedError, check_option
from wsed.types import Events, Split

Curves = Float[Tensor, "clip frame label"]


class MiscountingDecoder(StepDecoder):
    """`wsed.decoding.StepDecoder` that miscounts frames as the published decoder does, to compare with its figures.

    The settings are those of `StepDecoder`.
    """

    at = Decoder.at
    """The events at each threshold, decoded one by one."""

    def to_events(self, runs: Runs, curves: Curves, frame_rate: float) -> Events:
        frames = borders(curves, self.threshold if self.low is None else self.low, self.threshold)
        first, stop = (frames[runs.clip, frame, runs.label] for frame in (runs.first, runs.stop))
        return runs._replace(first=first, stop=stop).to_events(frame_rate)

    def across(self) -> Decoder:
        """Of long recordings frames are counted exactly: the miscount grows with each event."""
        return StepDecoder(**self.values()).across()

    def inexact_for_segments(self) -> list[str]:
        return ["class_path", *super().inexact_for_segments()]


def borders(scores: Curves, low: PerLabel, high: PerLabel) -> Int[Tensor, "clip border label"]:
    """Where the published decoder puts the borders between frames, in frames.

    Border `i` of a clip lies before frame `i`; one that counts rightly puts it at `i`. That decoder adds up the lengths
    of the runs of frames that are on and off, and miscounts: frame 0 counts twice; the frame that switches an event off
    does not count, nor does one above `low` but not above `high`. With `low = high`, event `k` (0, 1, ...) of a clip is
    shifted by `1 - k` frames; an event that begins with the clip only ends one frame later. The paper does not say how
    it counts.
    """
    if not scores.shape[1]:
        return torch.zeros(scores.shape[0], 1, scores.shape[2], dtype=torch.long, device=scores.device)
    on = hysteresis(scores, low, high)
    counted = threshold(scores, high) | ~threshold(scores, low)
    counted[:, 1:] &= on[:, 1:] | ~on[:, :-1]
    frames = counted.long()
    frames[:, 0] += 1  # also where frame 0 lies between low and high, and so has no count of its own
    return torch.nn.functional.pad(frames.cumsum(1), (0, 0, 1, 0))


Revision = Literal["2018-03", "2019-05"]

REVISIONS = {
    "2018-03": {"events": 906, "Cat": 82, "Dog": 126, "Speech": 260},
    "2019-05": {"events": 908, "Cat": 95, "Dog": 120, "Speech": 255},
}
"""Releases of the annotation of the DCASE 2018 test clips, with the counts that tell them apart."""


class DCASE2018(DESED):
    """DCASE 2018 task 4, its test labels of one release, and the published split of the weak clips if asked for.

    Args:
        root: as for `DESED`, as are predict, labels and train.
        test: table of the test clips.
        revision: which release of the annotation of the test clips `test` must be: `2018-03` (906 events, those of the
            papers of that year) or `2019-05` (908); scores differ by points. None: any table.
        class_holdout: share of the weak clips of each class that are validation clips, see `divided_by_class`; None: no
            validation clips, so that `data.holdout` can make some.

    Raises:
        WsedError: the test clips are of another release.
    """

    def __init__(
        self,
        root: Path,
        test: str = "test/test",
        predict: str | None = None,
        labels: Sequence[str] | None = None,
        revision: Revision | None = "2018-03",
        class_holdout: float | None = None,
        train: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(root, train, validation=None, test=test, predict=predict, labels=labels)
        if revision is not None:
            check_option("data.corpus", "revision", revision, get_args(Revision))
        self.revision, self.class_holdout = revision, class_holdout

    def has(self, split: Split) -> bool:
        return super().has(split) or (split == "validation" and self.class_holdout is not None)

    def setting(self, split: Split) -> str:
        return "data.corpus.class_holdout" if split == "validation" else super().setting(split)

    def clips(self, split: Split, sources: Collection[str] | None = None) -> Sequence[Clip]:
        if split in ("train", "validation") and self.class_holdout is not None:
            return self._divided(split, self.sources if sources is None else sources)
        clips = super().clips(split, sources)
        table = self.splits.get(split)
        if self.revision is not None and table is not None and table == self.splits["test"]:
            check_revision(clips, self.revision, layout.find(self.root, table)[0])
        return clips

    def _divided(self, split: Split, sources: Collection[str]) -> list[Clip]:
        clips = super().clips("train", sources if split == "train" else ["weak"])
        weak = [clip for clip in clips if clip.source == "weak"]
        train, held = divided_by_class(weak, self.labels, self.class_holdout or 0.0)
        if split == "validation":
            return [replace(clip, source="validation") for clip in held]
        return [*train, *(clip for clip in clips if clip.source != "weak")]


def divided_by_class(clips: Sequence[Clip], labels: Iterable[str], share: float) -> tuple[list[Clip], list[Clip]]:
    """Training and validation entries as the published code makes them: not apart, and with repeats.

    Of each class the clips that hold it, in the order given, are cut: the first `share` is for validation, the rest for
    training. A clip with n tags is so entered n times, and may be in both. Clips without tags are in neither. Rounding
    down is our guess.
    """
    train: list[Clip] = []
    held: list[Clip] = []
    for label in labels:
        mine = [clip for clip in clips if label in (clip.tags or ())]
        first = math.floor(share * len(mine) + 1e-9)  # 0.29 * 100 is a little less than 29
        held += mine[:first]
        train += mine[first:]
    return train, held


def check_revision(clips: Sequence[Clip], revision: Revision, table: Path) -> None:
    """Refuse another release of the annotation of the DCASE 2018 test clips than the one that is meant.

    Args:
        clips: the test clips with their events.
        revision: a key of `REVISIONS`.
        table: the table they were read from, for the message.

    Raises:
        WsedError: the clips have other numbers of events.
    """
    counts = Counter(label for clip in clips for label, _, _ in clip.events or ())
    here = {name: counts.total() if name == "events" else counts[name] for name in REVISIONS[revision]}
    if here == REVISIONS[revision]:
        return
    release = next((f"revision {name}" for name, known in REVISIONS.items() if known == here), "no known revision")
    raise WsedError(
        f"{table} is not revision {revision} of the DCASE 2018 test clips: it has {_in_words(here)} ({release}), "
        f"expected {_in_words(REVISIONS[revision])}. Put the table of that release there (the figures of the IJCNN "
        "paper are of 2018-03), or set data.corpus.revision to the release you have, or to null for any; scores of "
        "different releases cannot be compared"
    )


def _in_words(counts: Mapping[str, int]) -> str:
    classes = ", ".join(f"{name} {n}" for name, n in counts.items() if name != "events")
    return f"{counts['events']} events, {classes}"
