"""Building blocks of synthetic sounds: tones, filtered noise, gains and envelopes. Signals are `[sample]` at `RATE`."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

RATE = 16000
"""Sample rate of all signals, Hz."""

Signal = NDArray[np.floating]
Rng = np.random.Generator
Response = Callable[[Signal], Signal]
"""A filter: maps frequencies in Hz to gains."""


def draw_length(rng: Rng, shortest: float, longest: float) -> int:
    """Draw a duration between two durations in seconds; returns samples.

    >>> 0.1 * RATE <= draw_length(np.random.default_rng(0), 0.1, 0.2) <= 0.2 * RATE
    True
    """
    return int(rng.uniform(shortest, longest) * RATE)


def tone(pitch: Signal, harmonics: Sequence[float] | Signal) -> Signal:
    """A harmonic tone with peak 1 that follows a pitch.

    Args:
        pitch: fundamental frequency in Hz, `[sample]`.
        harmonics: amplitude of each harmonic, the fundamental first. Harmonics above Nyquist are left out.

    >>> tone(np.full(160, 100.0), [1.0, 0.5]).shape
    (160,)
    """
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    highest = float(pitch.max())
    signal: Signal = np.zeros(len(pitch))
    for k, amplitude in enumerate(harmonics, start=1):
        if amplitude and k * highest < RATE / 2:
            signal += amplitude * np.sin(k * phase)
    return signal / max(float(np.abs(signal).max()), 1e-9)


def noise(rng: Rng, n: int, response: Response) -> Signal:
    """Filtered noise of `n` samples with peak 1.

    >>> float(np.abs(noise(np.random.default_rng(0), 1000, band(500.0, 2000.0))).max())
    1.0
    """
    signal = filtered(rng.standard_normal(n), response)
    peak: float = np.abs(signal).max()
    return signal / peak


def filtered(signal: Signal, response: Response) -> Signal:
    """The signal after a filter, which is applied to its spectrum.

    >>> filtered(np.array([1.0, 2.0, 3.0]), lambda frequency: np.zeros_like(frequency))
    array([0., 0., 0.])
    """
    size = 1 << (len(signal) - 1).bit_length()  # a power of two: lengths with large prime factors are slow
    spectrum = np.fft.rfft(signal, size) * response(np.fft.rfftfreq(size, 1 / RATE))
    return np.fft.irfft(spectrum, size)[: len(signal)]


def band(low: float, high: float) -> Response:
    """A bandpass filter from `low` to `high` Hz with soft edges.

    >>> band(500.0, 2000.0)(np.array([50.0, 1000.0, 8000.0])).round(2)
    array([0.  , 0.99, 0.  ])
    """
    return lambda f: 1 / (1 + (low / np.maximum(f, 1.0)) ** 8) / (1 + (f / high) ** 8)


def formants(centres: Signal) -> Response:
    """A filter with a peak at each centre frequency in Hz, as in a vowel.

    >>> formants(np.array([500.0, 1500.0]))(np.array([500.0, 1000.0])).round(2)
    array([1.  , 0.01])
    """
    return lambda f: np.exp(-(((f[:, None] - centres) / (0.15 * centres)) ** 2)).sum(1)


def swell(rng: Rng, n: int, depth: float, rate: float = 2.0) -> Signal:
    """A random gain between `1 - depth` and `1 + depth` that changes `rate` times per second, `[n]`.

    >>> gain = swell(np.random.default_rng(0), RATE, depth=0.3)
    >>> bool(gain.min() >= 0.7 and gain.max() <= 1.3)
    True
    """
    knots = 1 + depth * rng.uniform(-1, 1, int(n / RATE * rate) + 2)
    return np.interp(np.linspace(0, len(knots) - 1, n), np.arange(len(knots)), knots)


def bump(n: int, edge: float) -> Signal:
    """An envelope of `n` samples with a raised-cosine rise and fall; each takes the share `edge` of it.

    >>> bump(5, 0.25)
    array([0., 1., 1., 1., 0.])
    """
    time = np.linspace(0, 1, n)
    nearest_end = np.minimum(time, 1 - time)
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(nearest_end / edge, 0, 1))
