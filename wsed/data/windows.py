"""Windows of long recordings and crops around events, which are read instead of whole clips."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from wsed.data.clip import Clip, Timed, greatest
from wsed.data.clip_table import seconds_of
from wsed.errors import WsedError
from wsed.literals import checked
from wsed.types import Split

TOLERANCE = 0.1
"""Greatest number of seconds by which a clip may be longer than what is read: files of 10 s often last 10.01 s."""

ROUNDING = 1e-6
"""Seconds of an event in a window that may be errors of rounding: the event is not in the window."""

Placement = Literal["onset", "contained", "centered"]


@checked(owner="data.windows")
@dataclass(frozen=True)
class Windows:
    """Windows of one length that are read instead of whole clips.

    With a `placement`, each clip has one crop around an event, the same in all epochs and runs. If the clip has several
    events, one of them is drawn, and the crop has the tags of all events that lie in it. Without a placement, windows
    follow each other through the clip at a regular step; the last one ends with the clip, unless it would add less
    than `slack`.

    >>> from pathlib import Path
    >>> clip = Clip("a.wav", Path("a.wav"), "weak", frozenset({"Dog"}), (("Dog", 4.0, 11.0),), duration=25.0)
    >>> for part in Windows(10.0).of(clip, "train"):
    ...     print(part.id, part.start, part.events)
    a_0.000_10.000.wav 0.0 (('Dog', 4.0, 10.0),)
    a_10.000_20.000.wav 10.0 (('Dog', 0.0, 1.0),)
    a_15.000_25.000.wav 15.0 ()
    >>> windows = Windows(10.0, test_length=5.0)
    >>> windows.seconds("test"), windows.name_of("test"), windows.name_of("train")
    (5.0, 'test_length', 'length')

    Args:
        length: length of a window, in seconds.
        test_length: length of the windows of test clips and of clips to predict; `length` if None.
        hop: seconds from the start of a window to the start of the next, without a `placement`; `length` if None.
        placement: rule for the start of the crop, see `crop_start`; None: windows follow each other.
        seed: seed of the random starts, which depend only on it and on the name of the clip.

    Raises:
        WsedError: a setting is out of its range.
    """

    length: float
    test_length: float | None = None
    hop: float | None = None
    placement: Placement | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in (("length", self.length), ("test_length", self.test_length), ("hop", self.hop)):
            if value is not None and value <= 0:
                raise WsedError(f"data.windows.{name} must be above 0, not {value}")
        if self.seed < 0:
            raise WsedError(f"data.windows.seed must be 0 or more, not {self.seed}")
        if self.placement is not None and self.hop is not None:
            raise WsedError("data.windows.hop is for windows that follow each other: set it or placement to null")

    def name_of(self, split: Split) -> str:
        """The setting that holds the length of the windows of a split."""
        return "test_length" if split in ("test", "predict") and self.test_length is not None else "length"

    def seconds(self, split: Split) -> float:
        """Length of the windows of a split, in seconds."""
        value = self.test_length if self.name_of(split) == "test_length" else self.length
        assert value is not None
        return value

    def of(self, clip: Clip, split: Split) -> list[Clip]:
        """The windows of a clip, each with the parts of the events inside it.

        Raises:
            WsedError: the duration of the clip is not known, an event begins after it, or the clip does not fit the
                `placement`.
        """
        if clip.duration is None:
            raise WsedError(
                f"data.windows cuts clips, but the duration of {clip.id} is not known: set data.reader to one that "
                "reads the headers of files"
            )
        duration = seconds_of(clip)
        if self.placement is not None:
            return [self._crop(clip, split, self.placement)]
        length, hop = self.seconds(split), self.hop or self.seconds(split)
        starts = window_starts(duration, length, hop)
        added = starts[-1] - starts[-2] if len(starts) > 1 else hop
        if added < hop - 1e-6 and added <= slack(length) + 1e-6:
            starts.pop()
        return [part_of(clip, start, min(length, duration - start)) for start in starts]

    def _crop(self, clip: Clip, split: Split, placement: Placement) -> Clip:
        assert clip.duration is not None
        name, seconds = self.name_of(split), self.seconds(split)
        events = clip.events or ()
        if not events:
            raise WsedError(
                f"clip {clip.id} ({clip.path}) holds no events, but data.windows.placement cuts a crop around one; "
                "take the clip out of its table, or make the corpus with `wsed data synth --recipe waa`"
            )
        if seconds > clip.duration:
            raise WsedError(
                f"data.windows.{name} is {seconds:g} s, but clip {clip.id} ({clip.path}) lasts {clip.duration:g} s; "
                f"set data.windows.{name} to {clip.duration:g} or less"
            )
        generator = np.random.default_rng([self.seed, zlib.crc32(clip.id.encode())])
        chance = generator.random()
        label, onset, offset = events[int(generator.integers(len(events)))]
        begin = crop_start(onset, min(offset, clip.duration), seconds, clip.duration, placement, chance)
        part = part_of(clip, begin, seconds)
        tags = part.tags
        if len(events) == 1 and tags is not None:  # also if a crop near the event holds nothing of it
            tags |= {label} & (clip.tags or frozenset())
        return replace(part, id=clip.id, recording=clip.recording, tags=tags)


def part_of(clip: Clip, start: float, duration: float) -> Clip:
    """A part of a clip, named after its times, with the parts of the events inside it.

    The tags are those of the events inside, each with the greatest confidence of its events there; those of `unsure`
    classes and of tags without an event are unknown. If only the tags of the clip are known, the tags of its parts are
    unknown, unless the clip has no tags. The tags of a part that is the whole clip (but for `slack`) are those of the
    clip.

    >>> from pathlib import Path
    >>> part_of(Clip("a.wav", Path("a.wav"), "weak", frozenset({"Dog"})), start=5.0, duration=10.0).id
    'a_5.000_15.000.wav'

    Args:
        clip: the clip.
        start: seconds from the start of the clip.
        duration: seconds.
    """
    whole = clip.duration is not None and start <= 0 and clip.duration <= duration + slack(duration)
    tags, unsure = clip.tags if whole or not clip.tags else None, clip.unsure
    part = clip if clip.events is None else _with_events_in(clip, start, duration)
    if clip.events is not None and clip.tags is not None:
        beyond = {label for label, _, _ in clip.events} - {label for label, _, _ in part.events or ()}
        tags = clip.tags - beyond
        if not whole:
            unsure |= tags_without_event(clip)  # where they are is not known
            tags -= unsure
    head, dot, suffix = clip.id.rpartition(".")
    name = f"{head or clip.id}_{start:.3f}_{start + duration:.3f}{dot + suffix if head else ''}"
    place = (clip.start or 0.0) + start
    return replace(part, id=name, recording=clip.of_recording, tags=tags, unsure=unsure, start=place, duration=duration)


def tags_without_event(clip: Clip) -> frozenset[str]:
    """The tags of a clip for which it has no event.

    >>> from pathlib import Path
    >>> tags_without_event(Clip("a.wav", Path("a.wav"), "weak", frozenset({"Dog", "Cat"}), (("Dog", 4.0, 5.0),)))
    frozenset({'Cat'})
    """
    return (clip.tags or frozenset()) - {label for label, _, _ in clip.events or ()}


def _with_events_in(clip: Clip, start: float, duration: float) -> Clip:
    """The clip with the parts of its events in a window, and the confidence of these events."""
    events, sure = list[Timed](), list[float]()
    for (label, onset, offset), confidence in zip(clip.events or (), clip.confidences, strict=True):
        if onset < start + duration - ROUNDING and offset > start + ROUNDING:
            events.append((label, max(onset - start, 0.0), min(offset - start, duration)))
            sure.append(confidence)
    if not (clip.confidence or clip.event_confidence):
        return replace(clip, events=tuple(events))
    of_tags = {**clip.confidence, **greatest(events, sure)} if clip.confidence else {}
    return replace(clip, events=tuple(events), event_confidence=tuple(sure), confidence=of_tags)


def slack(length: float) -> float:
    """By how many seconds a clip may be longer than the part that is read, if the part counts as the whole clip.

    >>> slack(10.0), slack(0.5)
    (0.1, 0.05)
    """
    return min(TOLERANCE, length / 10)


def window_starts(duration: float, length: float, hop: float) -> list[float]:
    """Starts of the windows of a recording, in seconds: every `hop` seconds; the last window ends with the recording.

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


@checked
def cut(clips: Sequence[Clip], windows: Windows, split: Split) -> list[Clip]:
    """The windows of all clips."""
    return [part for clip in clips for part in windows.of(clip, split)]


@checked
def crop_start(
    onset: float, offset: float, length: float, duration: float, placement: Placement, chance: float
) -> float:
    """Start of the crop of a clip around its event, in seconds from the start of the clip.

    `onset`: the onset of an event that would fit lies anywhere in the crop, so the end of the event may be cut off. If
    the event is longer than the crop, the crop begins up to its own length before or after the onset (as in the code of
    Turpault et al. 2020). `contained`: the crop holds the whole event or lies within it, at random. `centered`: crop
    and event have the same centre. A crop that would reach outside the clip is moved into it.

    Args:
        onset: onset of the event, in seconds.
        offset: offset of the event, in seconds.
        length: length of the crop, in seconds; at most `duration`.
        duration: duration of the clip, in seconds.
        placement: the rule.
        chance: a random number, drawn uniformly from [0, 1).

    >>> crop_start(onset=4.0, offset=6.0, length=1.0, duration=10.0, placement="centered", chance=0.0)
    4.5
    """
    if placement == "centered":
        begin = (onset + offset - length) / 2
    elif placement == "contained":
        first, last = sorted((onset, offset - length))
        first, last = max(first, 0.0), min(last, duration - length)
        begin = first + chance * (last - first)
    elif offset - onset > length + 1e-6:  # an event of 0.2 s fits into a crop of 0.2 s despite rounding
        begin = onset + length * (2 * chance - 1)
    else:
        begin = onset - length * chance
    return min(max(begin, 0.0), duration - length)
