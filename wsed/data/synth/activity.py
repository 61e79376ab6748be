"""Where a recording is active: levels, and active stretches from the energy of short frames."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

GAP = 0.25
"""Seconds; shorter pauses do not end an event, as in the annotation of DESED."""

_FRAME = 0.02
_MIN_POWER = 1e-12


class Stretch(NamedTuple):
    """One active stretch of a recording.

    Attributes:
        onset: seconds.
        offset: seconds.
        level: dBFS RMS.

    >>> Stretch(onset=0.5, offset=1.25, level=-20.0).offset
    1.25
    """

    onset: float
    offset: float
    level: float


def power_db(sound: NDArray[np.float32]) -> float:
    """Mean power of `sound [sample]` in dB relative to full scale (1.0).

    >>> round(power_db(np.full(100, 0.1, np.float32)), 3)
    -20.0
    """
    return float(10 * np.log10(np.square(sound).mean() + _MIN_POWER))


def active_stretches(sound: NDArray[np.float32], sample_rate: int) -> list[tuple[float, float]]:
    """Onsets and offsets in seconds of the active parts of a recording, by the energy of 20 ms frames.

    A frame is active if its level is less than 30 dB below the loud frames (95th percentile) and more than 6 dB above
    the noise (5th percentile). If these two levels differ by less than 12 dB, the whole recording is active. Pauses
    shorter than `GAP` are closed.

    Args:
        sound: samples, `[sample]`.
        sample_rate: Hz.

    >>> noise = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    >>> active_stretches(np.concatenate([0.001 * noise, noise]), sample_rate=8000)
    [(1.0, 2.0)]
    """
    size = max(1, round(_FRAME * sample_rate))
    n_frames = -(-len(sound) // size)
    padded = np.pad(sound, (0, n_frames * size - len(sound)))
    level = 10 * np.log10(np.square(padded).reshape(n_frames, size).mean(1) + _MIN_POWER)
    loud, noise = np.percentile(level, 95), np.percentile(level, 5)
    if loud - noise < 12:
        return [(0.0, len(sound) / sample_rate)]
    active = level > max(loud - 30, noise + 6)
    edges = np.flatnonzero(np.diff(np.r_[False, active, False].astype(np.int8)))
    return close_gaps(
        (a * size / sample_rate, min(b * size, len(sound)) / sample_rate) for a, b in edges.reshape(-1, 2).tolist()
    )


def close_gaps(spans: Iterable[tuple[float, float]], gap: float = GAP) -> list[tuple[float, float]]:
    """Join spans that overlap or lie less than `gap` seconds apart; returns them in order of onset.

    >>> close_gaps([(1.1, 2.0), (0.0, 1.0), (3.0, 4.0)])
    [(0.0, 2.0), (3.0, 4.0)]
    """
    closed: list[tuple[float, float]] = []
    for onset, offset in sorted(spans):
        if closed and onset - closed[-1][1] < gap:
            closed[-1] = (closed[-1][0], max(closed[-1][1], offset))
        else:
            closed.append((onset, offset))
    return closed
