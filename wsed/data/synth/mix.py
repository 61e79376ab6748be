"""Mixing a scene into audio and the stems that it is the sum of."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsed.data import audio
from wsed.data.synth.activity import power_db
from wsed.data.synth.recipe import Recipe
from wsed.data.synth.scene import Scene, Sound

Audio = NDArray[np.float32]
Load = Callable[[str], Audio]
"""Maps the path of a recording in the soundbank to its samples."""

_PEAK = 0.99


@dataclass(frozen=True)
class Stem:
    """One sound of a mix.

    Attributes:
        sound: the sound.
        start: first sample of the stem in the clip.
        audio: `[sample]`.
        gain: gain of the recording, dB.
        snr: signal-to-noise ratio that was reached, dB.

    >>> from wsed.data.synth.activity import Stretch
    >>> from wsed.data.synth.bank_files import Recording
    >>> hum = Recording("hum.wav", "Hum", "1", 1.0, -20.0, (Stretch(0.0, 1.0, -20.0),))
    >>> Stem(Sound(hum, hum.stretches, snr=20.0), 0, np.zeros(8000, np.float32), 3.0, 20.0).gain
    3.0
    """

    sound: Sound
    start: int
    audio: Audio
    gain: float
    snr: float


@dataclass(frozen=True)
class Mix:
    """A mixed clip.

    Attributes:
        audio: `[sample]`, the sum of the background and all stems.
        background: `[sample]`.
        stems: one per sound.
        gain: gain of the whole clip, dB.

    >>> silence = np.zeros(8000, np.float32)
    >>> Mix(silence, silence, stems=(), gain=0.0).gain
    0.0
    """

    audio: Audio
    background: Audio
    stems: tuple[Stem, ...]
    gain: float


class SoundCache:
    """Decodes recordings of a soundbank and keeps those used last, up to `limit` bytes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     audio.write(Path(folder) / "hum.wav", np.full(8000, 0.1), 8000)
    ...     load = SoundCache(Path(folder), sample_rate=8000)
    ...     load("hum.wav") is load("hum.wav")
    True
    """

    def __init__(self, root: Path, sample_rate: int, limit: int = 300_000_000) -> None:
        self._root, self._rate, self._free = root, sample_rate, limit
        self._cached: OrderedDict[str, Audio] = OrderedDict()

    def __call__(self, path: str) -> Audio:
        if path in self._cached:
            self._cached.move_to_end(path)
            return self._cached[path]
        sound = audio.read(self._root / path, self._rate)
        self._cached[path], self._free = sound, self._free - sound.nbytes
        while self._free < 0 and len(self._cached) > 1:
            self._free += self._cached.popitem(last=False)[1].nbytes
        return sound


def mix(scene: Scene, recipe: Recipe, load: Load, rng: np.random.Generator) -> Mix:
    """Mix a scene. Every clip, also one without sounds, has a background, a noise floor and a gain.

    Args:
        scene: the scene.
        recipe: the recipe of the split.
        load: reads a recording.
        rng: random numbers of the noise floor.

    >>> from wsed.data.synth.bank_files import Recording
    >>> rain = Recording("rain.wav", "background", "1", 1.0, -20.0, ())
    >>> recipe = Recipe(clips={"train": 1}, clip=2.0, sample_rate=8000, crossfade=0.0)
    >>> scene = Scene(rain, start=0.0, sounds=(), gain=0.0)
    >>> mixed = mix(scene, recipe, lambda path: np.full(8000, 0.1, np.float32), np.random.default_rng(0))
    >>> mixed.audio.shape, round(power_db(mixed.audio))
    ((16000,), -30)
    """
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
    """Repeat a sound with an equal-power crossfade at every seam.

    Args:
        sound: the sound, `[sample]`.
        n_samples: length of the result.
        crossfade: length of the crossfade, samples; at most half of the sound.
        start: sample of the repeated sound at which the result starts.

    >>> loop(np.array([1.0, 2.0, 3.0], np.float32), 5, crossfade=0, start=1)
    array([2., 3., 1., 2., 3.], dtype=float32)
    """
    overlap = min(crossfade, len(sound) // 2)
    period = len(sound) - overlap
    once = sound[:period].copy()
    if overlap:
        phase = np.linspace(0, np.pi / 2, overlap, dtype=np.float32)
        once[:overlap] = once[:overlap] * np.sin(phase) + sound[period:] * np.cos(phase)
    start %= period
    return np.resize(np.concatenate([once[start:], once[:start]]), n_samples)


def fade(sound: Audio, n_in: int, n_out: int) -> Audio:
    """Fade in the first `n_in` and fade out the last `n_out` samples, with raised-cosine ramps.

    >>> fade(np.ones(4, np.float32), n_in=1, n_out=1)
    array([0.5, 1. , 1. , 0.5], dtype=float32)
    """
    faded = sound.copy()
    faded[:n_in] *= _ramp(n_in)
    faded[len(faded) - n_out :] *= _ramp(n_out)[::-1]
    return faded


def _ramp(n: int) -> Audio:
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(n, dtype=np.float32) + 0.5) / max(n, 1))).astype(np.float32)


def _background(scene: Scene, recipe: Recipe, load: Load, rng: np.random.Generator, n_samples: int) -> Audio:
    rate = recipe.sample_rate
    sound = loop(load(scene.background.path), n_samples, round(recipe.crossfade * rate), round(scene.start * rate))
    # Scaled by the level of the whole file, so that a quiet part of a background stays quiet.
    sound = sound * np.float32(10 ** ((recipe.background_level - scene.background.level) / 20))
    noise = rng.standard_normal(n_samples, dtype=np.float32)
    return sound + noise * np.float32(10 ** ((recipe.background_level + recipe.background_floor) / 20))


def _stem(sound: Sound, recipe: Recipe, load: Load, floor: float) -> Stem:
    """The stem of a sound at the wanted SNR over a background of `floor` dB."""
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
    """One stretch with its fades, and the number of samples before its onset.

    The fades lie outside the stretch if the recording extends beyond it, so that they do not soften its attack.
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
