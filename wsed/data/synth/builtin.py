"""A soundbank made by formula: the ten classes of DESED in caricature, so that everything runs with no download.

Five classes are short and have pauses, five go on for seconds. Every recording differs in pitch, pace, timbre and
length. They are no stand-in for real sounds: a small CRNN tells them apart after minutes of training on a CPU.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsed.data import audio
from wsed.errors import WsedError
from wsed.files import remove_leftovers, write_folder

RATE = 16000
"""Sample rate of the soundbank, Hz."""

COUNTS = {"train": 24, "validation": 8, "eval": 8}
"""Recordings of each class in each split."""

_N_BACKGROUNDS = {"train": 10, "validation": 4, "eval": 4}
_MARK = "builtin.txt"
_PEAK = 10 ** (-3 / 20)

Audio = NDArray[np.float32]
Signal = NDArray[np.floating]
Rng = np.random.Generator
Response = Callable[[Signal], Signal]
"""Gain by frequency in Hz."""


def write_soundbank(folder: str | Path, seed: int = 0) -> Path:
    """Write the soundbank as `folder/foreground/SPLIT/CLASS/*.flac` and `folder/background/SPLIT/*.flac`.

    A folder this function has written with the same seed is left as it is. Returns the folder.

    Raises:
        WsedError: the folder holds something else.
    """
    folder = Path(folder)
    mark = f"wsed builtin soundbank 1, seed {seed}\n"
    if (folder / _MARK).is_file() and (folder / _MARK).read_text("utf-8") == mark:
        return folder
    if folder.exists():
        raise WsedError(f"{folder} is not the builtin soundbank of seed {seed}; move it away or choose another folder")
    remove_leftovers(folder)
    with write_folder(folder) as part:
        for split, n in COUNTS.items():
            for label in CLASSES:
                _write_all(part / "foreground" / split / label, n, partial(recording, label, split, seed=seed))
            _write_all(part / "background" / split, _N_BACKGROUNDS[split], partial(background, split, seed=seed))
        (part / _MARK).write_text(mark, "utf-8")
    return folder


def recording(label: str, split: str, index: int, seed: int = 0) -> Audio:
    """One isolated sound of a class, `[sample]` at `RATE`, peak -3 dBFS; the same for the same arguments.

    Raises:
        KeyError: `label` is none of `CLASSES`.
    """
    rng = _generator(seed, split, label, index)
    return _scaled(CLASSES[label](rng))


def background(split: str, index: int, seed: int = 0) -> Audio:
    """12 s of background, `[sample]` at `RATE`: coloured noise that swells a little, some with a hum."""
    rng = _generator(seed, split, "background", index)
    n, slope = 12 * RATE, rng.uniform(-1.0, -0.4)
    room = _noise(rng, n, lambda f: np.maximum(f, 60.0) ** slope)
    hum = _tone(np.full(n, rng.choice([50.0, 60.0, 100.0])), rng.uniform(0, 1, 4))
    return _scaled(_swell(rng, n, 0.3) * room + rng.uniform(0, 0.1) * hum)


def alarm(rng: Rng) -> Signal:
    """Beeps of one or two high pitches."""
    pitches, beep = rng.uniform(1500, 3500) * np.array([1.0, rng.choice([1.0, 0.8])]), rng.uniform(0.08, 0.2)
    n_beep = int(beep * RATE)
    beeps = [
        _tone(np.full(n_beep, pitches[i % 2]), [1.0, 0.0, 0.4]) * _bump(n_beep, 0.05)
        for i in range(rng.integers(4, 11))
    ]
    pause = np.zeros(int(rng.uniform(0.02, 0.12) * RATE))
    return np.concatenate([piece for b in beeps for piece in (b, pause)])


def blender(rng: Rng) -> Signal:
    """A fast motor: strong harmonics that rise at the start, and noise of the blades."""
    n = _length(rng, 3.0, 7.0)
    pitch = rng.uniform(200, 330) * (1 - 0.4 * np.exp(-np.arange(n) / (0.3 * RATE))) * _swell(rng, n, 0.04)
    return _tone(pitch, 1 / np.arange(1, 16)) + rng.uniform(0.3, 0.6) * _noise(rng, n, _band(1500.0, 5000.0))


def cat(rng: Rng) -> Signal:
    """A miaow: one gliding voiced pitch, up and down again."""
    n = _length(rng, 0.5, 1.2)
    time = np.linspace(0, 1, n)
    pitch = rng.uniform(450, 700) * (1 + rng.uniform(0.3, 0.8) * np.sin(np.pi * time ** rng.uniform(0.6, 1.4)))
    vibrato = 1 + 0.02 * np.sin(2 * np.pi * rng.uniform(5, 8) * time)
    return _tone(pitch * vibrato, [0.6, 1.0, 0.8, 0.4, 0.2, 0.1]) * _bump(n, 0.3)


def dishes(rng: Rng) -> Signal:
    """Clinks: inharmonic partials that ring for a tenth of a second."""
    clinks = []
    for _ in range(rng.integers(2, 7)):
        n = _length(rng, 0.1, 0.35)
        time = np.arange(n)[:, None] / RATE
        partials, decay = rng.uniform(1800, 7500, 6), rng.uniform(0.015, 0.07, 6)
        clinks.append((np.sin(2 * np.pi * partials * time) * np.exp(-time / decay)).sum(1) * rng.uniform(0.5, 1))
    return np.concatenate(clinks)


def dog(rng: Rng) -> Signal:
    """Barks: short falling harmonic bursts, half noise."""
    pitch, barks = rng.uniform(250, 500), []
    for _ in range(rng.integers(1, 5)):
        n = _length(rng, 0.1, 0.2)
        fall = pitch * (1.3 - 0.6 * np.linspace(0, 1, n))
        voice = _tone(fall, [0.5, 1.0, 1.0, 0.6, 0.3, 0.2]) + 0.8 * _noise(rng, n, _band(500.0, 2000.0))
        barks += [voice * _bump(n, 0.15), np.zeros(_length(rng, 0.1, 0.5))]
    return np.concatenate(barks)


def shaver(rng: Rng) -> Signal:
    """A low buzz with odd harmonics and a thin high band."""
    n = _length(rng, 3.0, 8.0)
    buzz = _tone(
        rng.uniform(85, 140) * _swell(rng, n, 0.01), [1.0, 0.0, 0.9, 0.0, 0.8, 0.0, 0.7, 0.0, 0.6, 0.0, 0.5, 0.0, 0.4]
    )
    return buzz + 0.4 * _noise(rng, n, _band(5500.0, 6500.0))


def frying(rng: Rng) -> Signal:
    """Crackle: hundreds of clicks a second, over a high hiss."""
    n = _length(rng, 4.0, 8.0)
    clicks = (rng.random(n) < rng.uniform(100, 400) / RATE) * rng.exponential(1.0, n)
    return _filtered(clicks, _band(2500.0, 8000.0)) + rng.uniform(0.02, 0.06) * _noise(rng, n, _band(3000.0, 8000.0))


def running_water(rng: Rng) -> Signal:
    """Noise of the middle bands whose bands swell apart from one another, as bubbles make it."""
    n = _length(rng, 3.0, 8.0)
    low = _noise(rng, n, _band(rng.uniform(300, 500), 1200.0)) * _swell(rng, n, 0.6, 12.0)
    return low + 0.8 * _noise(rng, n, _band(1200.0, rng.uniform(2200, 3200))) * _swell(rng, n, 0.6, 12.0)


def speech(rng: Rng) -> Signal:
    """Syllables: a voice with a wandering pitch through formants that change from one to the next."""
    pitch, syllables = rng.uniform(95, 230), []
    for _ in range(rng.integers(3, 9)):
        n = _length(rng, 0.12, 0.28)
        voice = _tone(pitch * rng.uniform(0.9, 1.15) * np.linspace(1.05, 0.95, n), np.ones(30))
        vowel = _filtered(voice, _formants(rng.uniform((300, 900, 2300), (800, 2200, 3000))))
        syllables += [vowel / np.abs(vowel).max() * _bump(n, 0.25), np.zeros(_length(rng, 0.01, 0.08))]
    return np.concatenate(syllables)


def vacuum_cleaner(rng: Rng) -> Signal:
    """Broad low noise with the whine of a turbine."""
    n = _length(rng, 4.0, 8.0)
    whine = _tone(rng.uniform(600, 1100) * _swell(rng, n, 0.01), [1.0, 0.3, 0.1])
    return _noise(rng, n, lambda f: 1 / (1 + (f / 700) ** 2)) + rng.uniform(0.15, 0.4) * whine


CLASSES: Mapping[str, Callable[[Rng], Signal]] = {
    "Alarm_bell_ringing": alarm,
    "Blender": blender,
    "Cat": cat,
    "Dishes": dishes,
    "Dog": dog,
    "Electric_shaver_toothbrush": shaver,
    "Frying": frying,
    "Running_water": running_water,
    "Speech": speech,
    "Vacuum_cleaner": vacuum_cleaner,
}
"""Class -> the formula of one recording."""


def _generator(seed: int, split: str, label: str, index: int) -> Rng:
    return np.random.default_rng([seed, zlib.crc32(f"{split}/{label}".encode()), index])


def _write_all(folder: Path, n: int, make: Callable[[int], Audio]) -> None:
    folder.mkdir(parents=True)
    for index in range(n):
        audio.write(folder / f"{index:03d}.flac", make(index), RATE)


def _length(rng: Rng, shortest: float, longest: float) -> int:
    """Samples, drawn between two durations in seconds."""
    return int(rng.uniform(shortest, longest) * RATE)


def _tone(pitch: Signal, harmonics: Sequence[float] | Signal) -> Signal:
    """A tone that follows `pitch [sample]` (Hz), with the amplitudes of its harmonics; none above Nyquist."""
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    top = float(pitch.max())
    tone: Signal = np.zeros(len(pitch))
    for k, amplitude in enumerate(harmonics, start=1):
        if amplitude and k * top < RATE / 2:
            tone += amplitude * np.sin(k * phase)
    return tone / max(float(np.abs(tone).max()), 1e-9)


def _noise(rng: Rng, n: int, response: Response) -> Signal:
    noise = _filtered(rng.standard_normal(n), response)
    loudest: float = np.abs(noise).max()
    return noise / loudest


def _filtered(signal: Signal, response: Response) -> Signal:
    """The signal with its spectrum multiplied by `response(frequency in Hz)`."""
    size = 1 << (len(signal) - 1).bit_length()  # a power of two: lengths with large prime factors are slow
    spectrum = np.fft.rfft(signal, size) * response(np.fft.rfftfreq(size, 1 / RATE))
    return np.fft.irfft(spectrum, size)[: len(signal)]


def _band(low: float, high: float) -> Response:
    """A response that passes from `low` to `high` Hz, with soft edges."""
    return lambda f: 1 / (1 + (low / np.maximum(f, 1.0)) ** 8) / (1 + (f / high) ** 8)


def _formants(centres: Signal) -> Response:
    return lambda f: np.exp(-(((f[:, None] - centres) / (0.15 * centres)) ** 2)).sum(1)


def _swell(rng: Rng, n: int, depth: float, rate: float = 2.0) -> Signal:
    """A gain about 1 that wanders by up to `depth`, `rate` times a second."""
    knots = 1 + depth * rng.uniform(-1, 1, int(n / RATE * rate) + 2)
    return np.interp(np.linspace(0, len(knots) - 1, n), np.arange(len(knots)), knots)


def _bump(n: int, edge: float) -> Signal:
    """An envelope with raised-cosine rise and fall, each `edge` of its length."""
    time = np.linspace(0, 1, n)
    nearest_end = np.minimum(time, 1 - time)
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(nearest_end / edge, 0, 1))


def _scaled(signal: Signal) -> Audio:
    scaled: Audio = (signal * (_PEAK / np.abs(signal).max())).astype(np.float32)
    return scaled
