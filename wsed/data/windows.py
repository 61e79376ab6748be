"""Parts of clips that are read in place of whole clips: crops around events, and windows of long recordings."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from wsed.data.clip import Clip, Timed
from wsed.errors import WsedError
from wsed.registry import check_option
from wsed.types import Split

Placement = Literal["onset", "contained", "centered"]


@dataclass(frozen=True)
class Windows:
    """Parts of one length that are read in place of whole clips.

    With a `placement`, a clip gives one window, cut where its one event is: the same in all epochs and runs. Without,
    windows follow each other through the clip.

    >>> from pathlib import Path
    >>> clip = Clip("a.wav", Path("a.wav"), "weak", frozenset({"Dog"}), (("Dog", 4.0, 11.0),), duration=25.0)
    >>> for part in Windows(10.0).of(clip, "train"):
    ...     print(part.id, part.start, part.events)
    a_0.000_10.000.wav 0.0 (('Dog', 4.0, 10.0),)
    a_10.000_20.000.wav 10.0 (('Dog', 0.0, 1.0),)
    a_15.000_25.000.wav 15.0 ()

    Args:
        length: of a window, seconds.
        test_length: of the windows of test clips and of clips to predict; `length` if None.
        hop: seconds from one window to the next, where there is no `placement`; `length` if None.
        placement: where the one window of a clip lies, see `crop_start`; None: windows follow each other.
        seed: of the random places, which depend on it and on the name of the clip alone.

    Raises:
        WsedError: a setting is out of its range.
    """

    length: float
    test_length: float | None = None
    hop: float | None = None
    placement: Placement | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.placement is not None:
            check_option("data.windows", "placement", self.placement, get_args(Placement))
        for name, value in (("length", self.length), ("test_length", self.test_length), ("hop", self.hop)):
            if value is not None and value <= 0:
                raise WsedError(f"data.windows.{name} must be above 0, not {value}")
        if self.placement is not None and self.hop is not None:
            raise WsedError("data.windows.hop is for windows that follow each other: set it or placement to null")

    def name_of(self, split: Split) -> str:
        """The setting that says how long the windows of a split are."""
        return "test_length" if split in ("test", "predict") and self.test_length is not None else "length"

    def seconds(self, split: Split) -> float:
        """How long the windows of a split are."""
        value = self.test_length if self.name_of(split) == "test_length" else self.length
        assert value is not None
        return value

    def of(self, clip: Clip, split: Split) -> list[Clip]:
        """The windows of a clip, with the part of the events that lies in each.

        Raises:
            WsedError: the length of the clip is not known, or it cannot be cut as `placement` says.
        """
        if clip.duration is None:
            raise WsedError(
                f"data.windows cuts clips, and the length of {clip.id} is not known: set data.reader to one that reads "
                "the headers of files"
            )
        if self.placement is not None:
            return [self._crop(clip, split, self.placement)]
        length, hop = self.seconds(split), self.hop or self.seconds(split)
        starts = window_starts(clip.duration, length, hop)
        return [part_of(clip, start, min(length, clip.duration - start)) for start in starts]

    def _crop(self, clip: Clip, split: Split, placement: Placement) -> Clip:
        assert clip.duration is not None
        name, seconds = self.name_of(split), self.seconds(split)
        events = clip.events or ()
        if len(events) != 1:
            raise WsedError(
                f"clip {clip.id} ({clip.path}) holds {len(events)} events, and data.windows.placement cuts clips where "
                "their one event is; make the corpus with `wsed data synth --recipe waa`"
            )
        if seconds > clip.duration:
            raise WsedError(
                f"data.windows.{name} is {seconds:g} s, but clip {clip.id} ({clip.path}) lasts {clip.duration:g} s; "
                f"set data.windows.{name} to {clip.duration:g} or less"
            )
        _, onset, offset = events[0]
        chance = np.random.default_rng([self.seed, zlib.crc32(clip.id.encode())]).random()
        begin = crop_start(onset, min(offset, clip.duration), seconds, clip.duration, placement, chance)
        return replace(part_of(clip, begin, seconds), id=clip.id, recording=clip.recording, tags=clip.tags)


def part_of(clip: Clip, start: float, duration: float) -> Clip:
    """A part of a clip, named after its place, with the parts of the events that lie in it.

    Tags are those of the events inside. Where a clip has tags and no events, nothing says which part holds what they
    name, so the tags of its parts are unknown, but for a part that is all of it; that a clip holds nothing is true of
    its parts too.

    Args:
        clip: the clip.
        start: seconds from the start of the clip.
        duration: seconds.
    """
    events: tuple[Timed, ...] | None = None
    whole = clip.duration is not None and start <= 0 and duration >= clip.duration
    tags = clip.tags if whole or not clip.tags else None
    if clip.events is not None:
        stop = start + duration
        events = tuple(
            (label, max(onset - start, 0.0), min(offset - start, duration))
            for label, onset, offset in clip.events
            if onset < stop and offset > start
        )
        beyond = {label for label, _, _ in clip.events} - {label for label, _, _ in events}
        tags = (clip.tags or frozenset()) - beyond
    head, dot, suffix = clip.id.rpartition(".")
    name = f"{head or clip.id}_{start:.3f}_{start + duration:.3f}{dot + suffix if head else ''}"
    place = (clip.start or 0.0) + start
    return replace(clip, id=name, recording=clip.of_recording, tags=tags, events=events, start=place, duration=duration)


def window_starts(duration: float, length: float, hop: float) -> list[float]:
    """Where the windows of a recording begin, in seconds: every `hop`, and the last one ends with the recording.

    >>> window_starts(25.0, 10.0, 10.0)
    [0.0, 10.0, 15.0]
    >>> window_starts(8.0, 10.0, 5.0)
    [0.0]
    """
    if duration <= length:
        return [0.0]
    whole = int((duration - length) / hop + 1e-9)
    starts = [i * hop for i in range(whole + 1)]
    last = duration - length
    return starts if last - starts[-1] < 1e-6 else [*starts, last]


def cut(clips: Sequence[Clip], windows: Windows, split: Split) -> list[Clip]:
    """The windows of all clips."""
    return [part for clip in clips for part in windows.of(clip, split)]


def crop_start(
    onset: float, offset: float, length: float, duration: float, placement: Placement, chance: float
) -> float:
    """Where the crop of a clip begins, in seconds from the clip's start.

    `onset`: the onset of an event that would fit lies anywhere in the crop, so that the end of the event may be cut
    off; the crop begins up to its length before or after the onset of a longer event (as in the code of Turpault et al.
    2020). `contained`: the crop holds the whole event, or lies within it, at random. `centered`: their middles agree. A
    crop that would reach out of the clip is moved into it.

    Args:
        onset: of the event, seconds.
        offset: of the event, seconds.
        length: of the crop, seconds; `duration` at most.
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
    elif offset - onset > length + 1e-6:  # events of 0.2 s fit into a crop of 0.2 s, whatever rounding says
        begin = onset + length * (2 * chance - 1)
    else:
        begin = onset - length * chance
    return min(max(begin, 0.0), duration - length)
