"""Drawing scenes at random from a recipe and the recordings of a soundbank."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from wsed.data.synth.activity import Stretch
from wsed.data.synth.bank_files import Recording
from wsed.data.synth.recipe import Recipe
from wsed.data.synth.scene import Scene, Sound, merge_events, polyphony

T = TypeVar("T")
Sounds = Mapping[str, Sequence[Sequence[Recording]]]
"""Class -> recordings by origin."""

_TRIES = 30


def draw_scene(
    recipe: Recipe, sounds: Sounds, backgrounds: Sequence[Recording], rng: np.random.Generator, index: int
) -> Scene:
    """Draw the scene of one clip.

    Args:
        recipe: the resolved recipe of the split.
        sounds: recordings of the split. Each class that the recipe names has some; each recording has stretches.
        backgrounds: backgrounds of the split.
        rng: random numbers for this clip only.
        index: index of the clip in its split; with a balanced recipe it determines the leading class.

    >>> bark = Recording("dog.wav", "Dog", "1", 2.0, -30.0, (Stretch(0.5, 0.75, -22.0),))
    >>> rain = Recording("rain.wav", "background", "1", 12.0, -30.0, ())
    >>> recipe = Recipe(clips={"train": 1}).resolve(["Dog"])
    >>> scene = draw_scene(recipe, {"Dog": [[bark]]}, [rain], np.random.default_rng(0), index=0)
    >>> [label for label, onset, offset in scene.events]
    ['Dog']
    """
    background = _pick(backgrounds, rng)
    start = rng.uniform(0, background.duration)
    gain = rng.uniform(*recipe.gain)
    n_events = _pick(list(recipe.events), rng, list(recipe.events.values()))
    labels = _draw_classes(recipe, rng, index) if n_events else []
    placed = _place(_draw_sounds(recipe, sounds, labels, n_events, rng), recipe, rng)
    if recipe.longest is not None:
        rng_of_cuts = rng.spawn(1)[0]  # so that the other random numbers are the same without the cut
        placed = tuple(_cut(sound, recipe.longest, rng_of_cuts) for sound in placed)
    return Scene(background, start, placed, gain)


def _draw_classes(recipe: Recipe, rng: np.random.Generator, index: int) -> list[str]:
    """The leading class and its companions, at most as many as the largest number of events."""
    leads = [label for label in recipe.classes if recipe.classes[label] > 0]
    weights = [recipe.classes[label] for label in leads]
    lead = leads[index % len(leads)] if recipe.balanced else _pick(leads, rng, weights)
    companions = [label for label, chance in recipe.together.get(lead, {}).items() if rng.random() < chance]
    rng.shuffle(companions)
    # Not limited to the drawn number of events: the probability of a companion must not depend on it.
    return [lead, *companions][: max(recipe.events)]


def _draw_sounds(
    recipe: Recipe, sounds: Sounds, labels: Sequence[str], n_events: int, rng: np.random.Generator
) -> list[Sound]:
    """At least one sound of every class, then more sounds until there are enough events."""
    drawn: list[Sound] = []
    n_left = max(n_events, len(labels))
    for position, label in enumerate(labels):
        n_reserved = len(labels) - position - 1  # one event for each class still to come
        drawn.append(_draw_sound(recipe, sounds[label], n_left - n_reserved, rng))
        n_left -= len(drawn[-1].stretches)
    repeatable = [s.recording.label for s in drawn if s.loop is None]
    while n_left > 0 and repeatable:
        drawn.append(_draw_sound(recipe, sounds[_pick(repeatable, rng)], n_left, rng, extend=False))
        n_left -= len(drawn[-1].stretches)
    return drawn


def _draw_sound(
    recipe: Recipe,
    origins: Sequence[Sequence[Recording]],
    most: int,
    rng: np.random.Generator,
    extend: bool = True,
) -> Sound:
    """Up to `most` consecutive stretches of a recording, or one stretch that is looped."""
    recording = _pick(_pick(origins, rng), rng)
    snr = rng.uniform(*recipe.snr)
    duration = rng.uniform(*recipe.extend_to)
    usable: Sequence[Stretch] = recording.stretches
    extend = extend and rng.random() < recipe.extend.get(recording.label, 0.0)
    if extend:
        longest = max(usable, key=lambda s: s.offset - s.onset)
        length = longest.offset - longest.onset
        if length > 3 * recipe.crossfade and length < duration:
            begin = longest.onset + rng.uniform(0, length)
            stretch = Stretch(begin, begin + min(duration, recipe.clip), longest.level)
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
    """Place sounds at random onsets, long ones first; sounds that do not fit within the polyphony are left out."""
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
    """Keep a random part of `longest` seconds of each longer stretch, at the same time in the clip."""
    parts = []
    for onset, offset, level in sound.stretches:
        begin = onset + rng.uniform(0, max(0.0, offset - onset - longest))
        parts.append(Stretch(begin, min(begin + longest, offset), level))
    return replace(sound, stretches=tuple(parts), onset=sound.onset + parts[0].onset - sound.stretches[0].onset)


def _pick(options: Sequence[T], rng: np.random.Generator, weights: Sequence[float] | None = None) -> T:
    if weights is None:
        return options[int(rng.integers(len(options)))]
    edges = np.cumsum(weights)
    return options[int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))]
