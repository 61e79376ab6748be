"""Mixing soundscapes: from a drawn scene to audio, with the stems it is the sum of."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsed.data import audio
from wsed.data.synth.recipe import Recipe
from wsed.data.synth.scene import Scene, Sound
from wsed.data.synth.soundbank import power_db

Audio = NDArray[np.float32]
Load = Callable[[str], Audio]
"""The samples of a recording, by its path in the soundbank."""

_PEAK = 0.99


@dataclass(frozen=True)
class Stem:
    """One sound as it is in the mix: `audio [sample]` from sample `start` of the clip; `gain` and `snr` reached, dB."""

    sound: Sound
    start: int
    audio: Audio
    gain: float
    snr: float


@dataclass(frozen=True)
class Mix:
    """A clip: `audio [sample]` is the sum of `background` and the stems. `gain`: of the whole clip, dB."""

    audio: Audio
    background: Audio
    stems: tuple[Stem, ...]
    gain: float


class SoundCache:
    """Decoded recordings of a soundbank, the last used ones kept (up to `limit` bytes)."""

    def __init__(self, root: Path, sample_rate: int, limit: int = 300_000_000) -> None:
        self._root, self._rate, self._left = root, sample_rate, limit
        self._kept: OrderedDict[str, Audio] = OrderedDict()

    def __call__(self, path: str) -> Audio:
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path]
        sound = audio.read(self._root / path, self._rate)
        self._kept[path], self._left = sound, self._left - sound.nbytes
        while self._left < 0 and len(self._kept) > 1:
            self._left += self._kept.popitem(last=False)[1].nbytes
        return sound


def mix(scene: Scene, recipe: Recipe, load: Load, rng: np.random.Generator) -> Mix:
    """Render a scene. Every clip gets the same treatment, with sounds or without: background, noise floor, gain."""
    n_samples = round(recipe.clip * recipe.sample_rate)
    background = _background(scene, recipe, load, rng, n_samples)
    floor = power_db(background)
    stems = [_stem(sound, recipe, load, floor) for sound in scene.sounds]
    clip = background.copy()
    for stem in stems:
        clip[stem.start : stem.start + len(stem.audio)] += stem.audio
    peak = float(np.abs(clip).max())
    scale = 10 ** (scene.gain / 20)
    scale = min(scale, _PEAK / peak)
    gain = float(20 * np.log10(scale))
    factor = np.float32(scale)
    scaled = tuple(Stem(s.sound, s.start, s.audio * factor, s.gain + gain, s.snr) for s in stems)
    return Mix(clip * factor, background * factor, scaled, gain)


def loop(sound: Audio, n_samples: int, crossfade: int, start: int = 0) -> Audio:
    """`n_samples` of a sound that goes round, from sample `start` on; every seam is an equal-power crossfade."""
    overlap = min(crossfade, len(sound) // 2)
    period = len(sound) - overlap
    once = sound[:period].copy()
    if overlap:
        phase = np.linspace(0, np.pi / 2, overlap, dtype=np.float32)
        once[:overlap] = once[:overlap] * np.sin(phase) + sound[period:] * np.cos(phase)
    start %= period
    return np.resize(np.concatenate([once[start:], once[:start]]), n_samples)


def fade(sound: Audio, n_in: int, n_out: int) -> Audio:
    """The sound with raised-cosine ramps over its first `n_in` and last `n_out` samples."""
    faded = sound.copy()
    faded[:n_in] *= _ramp(n_in)
    faded[len(faded) - n_out :] *= _ramp(n_out)[::-1]
    return faded


def _ramp(n: int) -> Audio:
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(n, dtype=np.float32) + 0.5) / max(n, 1))).astype(np.float32)


def _background(scene: Scene, recipe: Recipe, load: Load, rng: np.random.Generator, n_samples: int) -> Audio:
    rate = recipe.sample_rate
    sound = loop(load(scene.background.path), n_samples, round(recipe.crossfade * rate), round(scene.start * rate))
    # By the level of the file, not of the part: a quiet part of a background stays quiet.
    sound = sound * np.float32(10 ** ((recipe.background_level - scene.background.level) / 20))
    noise = rng.standard_normal(n_samples, dtype=np.float32)
    return sound + noise * np.float32(10 ** ((recipe.background_level + recipe.background_floor) / 20))


def _stem(sound: Sound, recipe: Recipe, load: Load, floor: float) -> Stem:
    """The sound at its place, at the wanted SNR over a background of `floor` dB."""
    rate, n_clip = recipe.sample_rate, round(recipe.clip * recipe.sample_rate)
    shift = round(sound.onset * rate) - round(sound.stretches[0].onset * rate)
    first = max(0, round(sound.onset * rate) - round(recipe.fade * rate))
    last = min(n_clip, round((sound.onset + sound.duration) * rate) + round(recipe.fade * rate))
    stem, power, n_active = np.zeros(last - first, np.float32), 0.0, 0
    for stretch in sound.stretches:
        piece, lead = _piece(sound, stretch.onset, stretch.offset, recipe, load)
        begin = round(stretch.onset * rate) + shift - lead - first
        piece = piece[max(0, -begin) : len(stem) - begin]
        stem[max(0, begin) : max(0, begin) + len(piece)] += piece
        inside = stem[begin + lead : begin + lead + round((stretch.offset - stretch.onset) * rate)]
        power, n_active = power + float(np.square(inside).sum()), n_active + len(inside)
    level = 10 * np.log10(power / max(n_active, 1) + 1e-12)
    gain = min(floor + sound.snr - level, recipe.max_gain)
    return Stem(sound, first, stem * np.float32(10 ** (gain / 20)), float(gain), float(gain + level - floor))


def _piece(sound: Sound, onset: float, offset: float, recipe: Recipe, load: Load) -> tuple[Audio, int]:
    """One stretch with its fades, and how many samples of it come before the onset.

    The fades lie outside the stretch where the recording goes on there, so that they do not soften its attack.
    """
    rate = recipe.sample_rate
    n_fade, a, b = round(recipe.fade * rate), round(onset * rate), round(offset * rate)
    recording = load(sound.recording.path)
    if sound.loop is not None:
        begin, end = (round(t * rate) for t in sound.loop)
        looped = loop(recording[begin:end], b - a, round(recipe.crossfade * rate), a - begin)
        return fade(looped, min(n_fade, len(looped) // 2), min(n_fade, len(looped) // 2)), 0
    low, high = max(0, a - n_fade), min(len(recording), b + n_fade)
    piece = recording[low:high]
    n_fade = min(n_fade, len(piece) // 2)
    return fade(piece, n_fade, n_fade), a - low
