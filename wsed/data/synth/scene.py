"""Scenes: which sounds a clip has and when, before any audio is read."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from wsed.data.clip import Timed
from wsed.data.synth.activity import Stretch, close_gaps
from wsed.data.synth.bank_files import Recording


@dataclass(frozen=True)
class Sound:
    """Stretches of one recording, placed in a clip.

    Attributes:
        recording: the recording.
        stretches: the stretches that are used, with times in the recording. An extended sound has one stretch, which
            ends after the end of `loop`.
        snr: wanted signal-to-noise ratio, dB.
        onset: onset of the first stretch in the clip, seconds.
        loop: onset and offset of the repeated part of the recording, seconds; None if the sound is not extended.

    >>> bark = Recording("dog.wav", "Dog", "1", 2.0, -30.0, (Stretch(0.5, 0.75, -22.0),))
    >>> Sound(bark, bark.stretches, snr=20.0, onset=3.0).events
    (('Dog', 3.0, 3.25),)
    """

    recording: Recording
    stretches: tuple[Stretch, ...]
    snr: float
    onset: float = 0.0
    loop: tuple[float, float] | None = None

    @property
    def duration(self) -> float:
        """Seconds from the first onset to the last offset."""
        return self.stretches[-1].offset - self.stretches[0].onset

    @property
    def events(self) -> tuple[Timed, ...]:
        """Label, onset and offset of every stretch, with times in the clip."""
        shift, label = self.onset - self.stretches[0].onset, self.recording.label
        return tuple((label, s.onset + shift, s.offset + shift) for s in self.stretches)


@dataclass(frozen=True)
class Scene:
    """One clip before it is mixed.

    Attributes:
        background: recording of the background.
        start: where the background starts in its file, seconds.
        sounds: the sounds of the clip.
        gain: gain of the finished clip, dB.

    >>> rain = Recording("rain.wav", "background", "1", 12.0, -30.0, ())
    >>> Scene(rain, start=2.0, sounds=(), gain=-6.0).events
    []
    """

    background: Recording
    start: float
    sounds: tuple[Sound, ...]
    gain: float

    @property
    def events(self) -> list[Timed]:
        """The events as an annotator would write them, see `merge_events`."""
        return merge_events(e for sound in self.sounds for e in sound.events)


def merge_events(events: Iterable[Timed]) -> list[Timed]:
    """Join events of one class that overlap or lie less than 0.25 s apart; returns events in order of onset.

    >>> merge_events([("Dog", 0.0, 1.0), ("Dog", 1.1, 2.0), ("Cat", 0.5, 0.7)])
    [('Dog', 0.0, 2.0), ('Cat', 0.5, 0.7)]
    """
    spans: dict[str, list[tuple[float, float]]] = {}
    for label, onset, offset in events:
        spans.setdefault(label, []).append((onset, offset))
    merged = [(label, *span) for label, of_class in spans.items() for span in close_gaps(of_class)]
    return sorted(merged, key=lambda event: (event[1], event[0]))


def polyphony(events: Iterable[Timed]) -> int:
    """The maximum number of simultaneous events; an event that ends as another begins does not overlap it.

    >>> polyphony([("Dog", 0.0, 2.0), ("Cat", 1.0, 3.0), ("Dog", 2.0, 4.0)])
    2
    """
    edges = sorted(edge for _, onset, offset in events for edge in ((onset, 1), (offset, -1)))
    return int(np.cumsum([step for _, step in edges]).max()) if edges else 0
