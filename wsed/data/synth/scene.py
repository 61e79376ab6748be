"""Drawing soundscapes: which sounds stand where in a clip. No audio is touched here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from wsed.data.clip import Timed
from wsed.data.synth.recipe import Recipe
from wsed.data.synth.soundbank import Recording, Stretch, close_gaps

T = TypeVar("T")
Sounds = Mapping[str, Sequence[Sequence[Recording]]]
"""Class -> origins, each with its files."""

_TRIES = 30


@dataclass(frozen=True)
class Sound:
    """Stretches of one recording, placed in a clip.

    Attributes:
        recording: where they come from.
        stretches: the ones used, times in the recording. An extended sound has one, whose `offset` lies past the end
            of `loop`: it goes round.
        snr: wanted, dB.
        onset: of the first stretch in the clip, seconds.
        loop: the part of the recording that is repeated, or None.
    """

    recording: Recording
    stretches: tuple[Stretch, ...]
    snr: float
    onset: float = 0.0
    loop: tuple[float, float] | None = None

    @property
    def duration(self) -> float:
        """From the first onset to the last offset, seconds."""
        return self.stretches[-1].offset - self.stretches[0].onset

    @property
    def events(self) -> tuple[Timed, ...]:
        """Label, onset and offset in the clip of every stretch."""
        shift, label = self.onset - self.stretches[0].onset, self.recording.label
        return tuple((label, s.onset + shift, s.offset + shift) for s in self.stretches)


@dataclass(frozen=True)
class Scene:
    """One clip before it is mixed. `start` is where its background begins in the file, seconds; `gain` is in dB."""

    background: Recording
    start: float
    sounds: tuple[Sound, ...]
    gain: float

    @property
    def events(self) -> list[Timed]:
        """What an annotator would write: the events of a class that overlap or nearly touch are one."""
        return merge_events(e for sound in self.sounds for e in sound.events)


def merge_events(events: Iterable[Timed]) -> list[Timed]:
    """Events with those of one class that overlap or lie less than 0.25 s apart joined; in order of onset."""
    spans: dict[str, list[tuple[float, float]]] = {}
    for label, onset, offset in events:
        spans.setdefault(label, []).append((onset, offset))
    merged = [(label, *span) for label, found in spans.items() for span in close_gaps(found)]
    return sorted(merged, key=lambda event: (event[1], event[0]))


def polyphony(events: Iterable[Timed]) -> int:
    """The most events at a time; one that ends where another begins does not count with it."""
    edges = sorted(edge for _, onset, offset in events for edge in ((onset, 1), (offset, -1)))
    return int(np.cumsum([step for _, step in edges]).max()) if edges else 0


def draw_scene(
    recipe: Recipe, sounds: Sounds, backgrounds: Sequence[Recording], rng: np.random.Generator, index: int
) -> Scene:
    """Draw one clip.

    Args:
        recipe: resolved, for this split.
        sounds: the split's recordings; each class named in the recipe has some, and each recording has stretches.
        backgrounds: the split's backgrounds.
        rng: the clip's own generator.
        index: of the clip in its split; decides the leading class of a balanced recipe.
    """
    background = _pick(backgrounds, rng)
    start = rng.uniform(0, background.duration)
    gain = rng.uniform(*recipe.gain)
    n_events = _pick(list(recipe.events), rng, list(recipe.events.values()))
    labels = _draw_classes(recipe, rng, index) if n_events else []
    placed = _place(_draw_sounds(recipe, sounds, labels, n_events, rng), recipe, rng)
    if recipe.longest is not None:
        own = rng.spawn(1)[0]  # so that the clip's generator goes on as it does without the cut
        placed = tuple(_cut(sound, recipe.longest, own) for sound in placed)
    return Scene(background, start, placed, gain)


def _draw_classes(recipe: Recipe, rng: np.random.Generator, index: int) -> list[str]:
    """The leading class and its companions, no more than there may be events."""
    leads = [label for label in recipe.classes if recipe.classes[label] > 0]
    weights = [recipe.classes[label] for label in leads]
    lead = leads[index % len(leads)] if recipe.balanced else _pick(leads, rng, weights)
    companions = [label for label, chance in recipe.together.get(lead, {}).items() if rng.random() < chance]
    rng.shuffle(companions)
    # Not cut at the number of events drawn: how often classes meet must not depend on it.
    return [lead, *companions][: max(recipe.events)]


def _draw_sounds(
    recipe: Recipe, sounds: Sounds, labels: Sequence[str], n_events: int, rng: np.random.Generator
) -> list[Sound]:
    """At least one sound of every class, then more of them until there are enough events."""
    drawn: list[Sound] = []
    left = max(n_events, len(labels))
    for position, label in enumerate(labels):
        waiting = len(labels) - position - 1
        drawn.append(_draw_sound(recipe, sounds[label], left - waiting, rng))
        left -= len(drawn[-1].stretches)
    open_labels = [s.recording.label for s in drawn if s.loop is None]
    while left > 0 and open_labels:
        drawn.append(_draw_sound(recipe, sounds[_pick(open_labels, rng)], left, rng, extend=False))
        left -= len(drawn[-1].stretches)
    return drawn


def _draw_sound(
    recipe: Recipe,
    origins: Sequence[Sequence[Recording]],
    most: int,
    rng: np.random.Generator,
    extend: bool = True,
) -> Sound:
    """Up to `most` neighbouring stretches of a recording, or one that is looped to last."""
    recording = _pick(_pick(origins, rng), rng)
    snr = rng.uniform(*recipe.snr)
    wanted = rng.uniform(*recipe.extend_to)
    usable: Sequence[Stretch] = recording.stretches
    extend = extend and rng.random() < recipe.extend.get(recording.label, 0.0)
    if extend:
        longest = max(usable, key=lambda s: s.offset - s.onset)
        length = longest.offset - longest.onset
        if length > 3 * recipe.crossfade and length < wanted:
            begin = longest.onset + rng.uniform(0, length)
            stretch = Stretch(begin, begin + min(wanted, recipe.clip), longest.level)
            return Sound(recording, (stretch,), snr, loop=(longest.onset, longest.offset))
        usable = [longest]
    first = int(rng.integers(len(usable)))
    run = list(usable[first : first + most])
    while len(run) > 1 and run[-1].offset - run[0].onset > recipe.clip:
        run = run[:-1]
    if run[0].offset - run[0].onset > recipe.clip:
        begin = rng.uniform(run[0].onset, run[0].offset - recipe.clip)
        run = [Stretch(begin, begin + recipe.clip, run[0].level)]
    return Sound(recording, tuple(run), snr)


def _place(drawn: Sequence[Sound], recipe: Recipe, rng: np.random.Generator) -> tuple[Sound, ...]:
    """Onsets at random, long sounds first; a sound that finds no place within the polyphony is left out."""
    placed: list[Sound] = []
    for sound in sorted(drawn, key=lambda s: -s.duration):
        for _ in range(_TRIES):
            trial = replace(sound, onset=rng.uniform(0, max(0.0, recipe.clip - sound.duration)))
            events = merge_events(e for s in [*placed, trial] for e in s.events)
            if polyphony(events) <= recipe.polyphony:
                placed.append(trial)
                break
    return tuple(sorted(placed, key=lambda s: s.onset))


def _cut(sound: Sound, longest: float, rng: np.random.Generator) -> Sound:
    """The sound with at most `longest` seconds of each stretch, from a random place, where they were in the clip."""
    kept = []
    for onset, offset, level in sound.stretches:
        begin = onset + rng.uniform(0, max(0.0, offset - onset - longest))
        kept.append(Stretch(begin, min(begin + longest, offset), level))
    return replace(sound, stretches=tuple(kept), onset=sound.onset + kept[0].onset - sound.stretches[0].onset)


def _pick(options: Sequence[T], rng: np.random.Generator, weights: Sequence[float] | None = None) -> T:
    if weights is None:
        return options[int(rng.integers(len(options)))]
    edges = np.cumsum(weights)
    return options[int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))]
