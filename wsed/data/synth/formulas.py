"""Ten functions that each synthesise one recording of a DESED class: `[sample]` at `RATE`, of any level.

Five classes are short and have pauses, five last for seconds. Every recording differs in pitch, pace, timbre and
length.
"""

from collections.abc import Callable, Mapping

import numpy as np

from wsed.data.synth.signals import (
    RATE,
    Rng,
    Signal,
    band,
    bump,
    draw_length,
    filtered,
    formants,
    noise,
    swell,
    tone,
)


def alarm(rng: Rng) -> Signal:
    """Beeps with one or two high pitches.

    >>> f"{len(alarm(np.random.default_rng(0))) / RATE:.2f} s"
    '0.53 s'
    """
    pitches, beep = rng.uniform(1500, 3500) * np.array([1.0, rng.choice([1.0, 0.8])]), rng.uniform(0.08, 0.2)
    n_beep = int(beep * RATE)
    beeps = [
        tone(np.full(n_beep, pitches[i % 2]), [1.0, 0.0, 0.4]) * bump(n_beep, 0.05) for i in range(rng.integers(4, 11))
    ]
    pause = np.zeros(int(rng.uniform(0.02, 0.12) * RATE))
    return np.concatenate([piece for b in beeps for piece in (b, pause)])


def blender(rng: Rng) -> Signal:
    """A fast motor: strong harmonics that rise at the start, and the noise of the blades.

    >>> f"{len(blender(np.random.default_rng(0))) / RATE:.2f} s"
    '5.55 s'
    """
    n = draw_length(rng, 3.0, 7.0)
    pitch = rng.uniform(200, 330) * (1 - 0.4 * np.exp(-np.arange(n) / (0.3 * RATE))) * swell(rng, n, 0.04)
    return tone(pitch, 1 / np.arange(1, 16)) + rng.uniform(0.3, 0.6) * noise(rng, n, band(1500.0, 5000.0))


def cat(rng: Rng) -> Signal:
    """A miaow: one voiced pitch that glides up and down.

    >>> f"{len(cat(np.random.default_rng(0))) / RATE:.2f} s"
    '0.95 s'
    """
    n = draw_length(rng, 0.5, 1.2)
    time = np.linspace(0, 1, n)
    pitch = rng.uniform(450, 700) * (1 + rng.uniform(0.3, 0.8) * np.sin(np.pi * time ** rng.uniform(0.6, 1.4)))
    vibrato = 1 + 0.02 * np.sin(2 * np.pi * rng.uniform(5, 8) * time)
    return tone(pitch * vibrato, [0.6, 1.0, 0.8, 0.4, 0.2, 0.1]) * bump(n, 0.3)


def dishes(rng: Rng) -> Signal:
    """Clinks: inharmonic partials that decay within a tenth of a second.

    >>> f"{len(dishes(np.random.default_rng(0))) / RATE:.2f} s"
    '1.39 s'
    """
    clinks = []
    for _ in range(rng.integers(2, 7)):
        n = draw_length(rng, 0.1, 0.35)
        time = np.arange(n)[:, None] / RATE
        partials, decay = rng.uniform(1800, 7500, 6), rng.uniform(0.015, 0.07, 6)
        clinks.append((np.sin(2 * np.pi * partials * time) * np.exp(-time / decay)).sum(1) * rng.uniform(0.5, 1))
    return np.concatenate(clinks)


def dog(rng: Rng) -> Signal:
    """Barks: short harmonic bursts with falling pitch, mixed with noise.

    >>> f"{len(dog(np.random.default_rng(0))) / RATE:.2f} s"
    '1.09 s'
    """
    pitch, barks = rng.uniform(250, 500), []
    for _ in range(rng.integers(1, 5)):
        n = draw_length(rng, 0.1, 0.2)
        fall = pitch * (1.3 - 0.6 * np.linspace(0, 1, n))
        voice = tone(fall, [0.5, 1.0, 1.0, 0.6, 0.3, 0.2]) + 0.8 * noise(rng, n, band(500.0, 2000.0))
        barks += [voice * bump(n, 0.15), np.zeros(draw_length(rng, 0.1, 0.5))]
    return np.concatenate(barks)


def shaver(rng: Rng) -> Signal:
    """A low buzz with odd harmonics and a narrow high band.

    >>> f"{len(shaver(np.random.default_rng(0))) / RATE:.2f} s"
    '6.18 s'
    """
    n = draw_length(rng, 3.0, 8.0)
    buzz = tone(
        rng.uniform(85, 140) * swell(rng, n, 0.01), [1.0, 0.0, 0.9, 0.0, 0.8, 0.0, 0.7, 0.0, 0.6, 0.0, 0.5, 0.0, 0.4]
    )
    return buzz + 0.4 * noise(rng, n, band(5500.0, 6500.0))


def frying(rng: Rng) -> Signal:
    """Crackle: hundreds of clicks per second over a high hiss.

    >>> f"{len(frying(np.random.default_rng(0))) / RATE:.2f} s"
    '6.55 s'
    """
    n = draw_length(rng, 4.0, 8.0)
    clicks = (rng.random(n) < rng.uniform(100, 400) / RATE) * rng.exponential(1.0, n)
    return filtered(clicks, band(2500.0, 8000.0)) + rng.uniform(0.02, 0.06) * noise(rng, n, band(3000.0, 8000.0))


def running_water(rng: Rng) -> Signal:
    """Noise in two middle bands whose gains vary independently, as with bubbles.

    >>> f"{len(running_water(np.random.default_rng(0))) / RATE:.2f} s"
    '6.18 s'
    """
    n = draw_length(rng, 3.0, 8.0)
    low = noise(rng, n, band(rng.uniform(300, 500), 1200.0)) * swell(rng, n, 0.6, 12.0)
    return low + 0.8 * noise(rng, n, band(1200.0, rng.uniform(2200, 3200))) * swell(rng, n, 0.6, 12.0)


def speech(rng: Rng) -> Signal:
    """Syllables: a voice with a varying pitch, filtered by the formants of a new vowel each time.

    >>> f"{len(speech(np.random.default_rng(0))) / RATE:.2f} s"
    '1.37 s'
    """
    pitch, syllables = rng.uniform(95, 230), []
    for _ in range(rng.integers(3, 9)):
        n = draw_length(rng, 0.12, 0.28)
        voice = tone(pitch * rng.uniform(0.9, 1.15) * np.linspace(1.05, 0.95, n), np.ones(30))
        vowel = filtered(voice, formants(rng.uniform((300, 900, 2300), (800, 2200, 3000))))
        syllables += [vowel / np.abs(vowel).max() * bump(n, 0.25), np.zeros(draw_length(rng, 0.01, 0.08))]
    return np.concatenate(syllables)


def vacuum_cleaner(rng: Rng) -> Signal:
    """Broad low noise with the whine of a turbine.

    >>> f"{len(vacuum_cleaner(np.random.default_rng(0))) / RATE:.2f} s"
    '6.55 s'
    """
    n = draw_length(rng, 4.0, 8.0)
    whine = tone(rng.uniform(600, 1100) * swell(rng, n, 0.01), [1.0, 0.3, 0.1])
    return noise(rng, n, lambda f: 1 / (1 + (f / 700) ** 2)) + rng.uniform(0.15, 0.4) * whine


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
"""Class -> the function that draws one recording of it."""
