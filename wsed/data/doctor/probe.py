"""Measurements of a sound file: peak, clipped samples, NaN, truncation."""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsed.data import audio as sound
from wsed.errors import WsedError

SILENT_PEAK = 10 ** (-60 / 20)
"""A clip whose peak is below this (-60 dBFS) is silent."""
CLIPPED_SHARE = 1e-3
"""A clip is clipped if a greater share of its samples lies in runs at full scale."""
FULL_SCALE = 1 - 2 / 32768
"""Samples from this level on are at full scale: the two loudest steps of 16-bit audio."""
CLIPPED_RUN = 3
"""Least number of successive samples at full scale that count as clipped; fewer are an ordinary peak."""


@dataclass(frozen=True)
class Probe:
    """The measurements of a sound file. If only the header was read, those after `sample_rate` are None or 0.

    Attributes:
        error: the reason why the file cannot be read; empty if it can.
        declared: number of samples that the header declares.
        sample_rate: Hz.
        decoded: number of samples that can be decoded; None if it is not known.
        peak: greatest absolute sample; full scale is 1. None if it is not known.
        clipped: share of the samples that lie in runs at full scale.
        not_finite: number of NaN and infinite samples.
        digest: hash of the decoded samples and their rate; it is equal for the same sound in WAV and FLAC.

    >>> probed = Probe(declared=8000, sample_rate=16000, decoded=4000)
    >>> probed.truncated, probed.duration
    (True, 0.25)
    """

    error: str = ""
    declared: int = 0
    sample_rate: int = 0
    decoded: int | None = None
    peak: float | None = None
    clipped: float = 0.0
    not_finite: int = 0
    digest: str = ""

    @property
    def cut_off(self) -> bool:
        """Whether loud parts are cut off at full scale; float samples beyond full scale are `too_loud` instead."""
        return self.clipped > CLIPPED_SHARE and not self.too_loud

    @property
    def too_loud(self) -> bool:
        """Whether samples lie beyond full scale."""
        return self.clipped > CLIPPED_SHARE and self.peak is not None and self.peak > 1.0

    @property
    def truncated(self) -> bool:
        """Whether fewer samples can be decoded than the header declares."""
        return self.decoded is not None and self.decoded < self.declared

    @property
    def duration(self) -> float:
        """Duration that can be decoded, in seconds; the declared duration if nothing was decoded."""
        samples = self.declared if self.decoded is None else self.decoded
        return samples / self.sample_rate if self.sample_rate else 0.0


def probe(path: str | Path, quick: bool = False) -> Probe:
    """Measure a sound file; for a file that cannot be read, the result has an `error`, and nothing is raised.

    Args:
        path: a sound file.
        quick: whether to read the header only.
    """
    try:
        header = sound.header(path)
        if not header.n_samples:
            return Probe(f"{path} holds no samples; record it again")
        if quick:
            # for MP3 and WAV the header shows how many samples are missing
            present = header.n_samples - header.missing if header.missing else None
            return Probe("", header.n_samples, header.sample_rate, present)
        return measure(sound.blocks(path), header.sample_rate, header.n_samples)
    except (WsedError, OSError) as error:
        return Probe(str(error))


def measure(blocks: Iterable[NDArray[np.float32]], sample_rate: int, declared: int) -> Probe:
    """Measure samples that come in blocks `[sample channel]`; the header declares `declared` samples."""
    digest = hashlib.blake2b(digest_size=16, salt=struct.pack("<I", sample_rate))
    decoded, peak, not_finite, runs = 0, 0.0, 0, list[Runs]()
    for samples in blocks:
        level = np.abs(samples)
        finite = np.isfinite(level)
        decoded += len(samples)
        peak = max(peak, float(np.max(level, where=finite, initial=0.0)))
        not_finite += int(finite.size - finite.sum())
        digest.update(samples.tobytes())
        runs = runs or [Runs() for _ in range(level.shape[1])]
        for channel, run in enumerate(runs):
            run.add(level[:, channel])
    clipped = max((run.share for run in runs), default=0.0)
    return Probe("", declared, sample_rate, decoded, peak, clipped, not_finite, digest.hexdigest())


class Runs:
    """Counts the samples of a channel that lie in runs of at least `CLIPPED_RUN` at full scale, block by block.

    >>> runs = Runs()
    >>> runs.add(np.array([0.5, 1.0, 1.0])), runs.add(np.array([1.0, 0.5, 1.0, 1.0]))
    (None, None)
    >>> runs.share
    0.42857142857142855
    """

    def __init__(self) -> None:
        self._counted, self._open, self._samples = 0, 0, 0

    @property
    def share(self) -> float:
        """The share of the counted samples among all samples so far."""
        last = self._open if self._open >= CLIPPED_RUN else 0
        return (self._counted + last) / max(self._samples, 1)

    def add(self, level: NDArray[np.floating]) -> None:
        """Count the absolute samples `[sample]` of the next block."""
        full = np.concatenate(([False], level >= FULL_SCALE, [False]))
        edges = np.flatnonzero(full[1:] != full[:-1]).reshape(-1, 2)
        lengths = edges[:, 1] - edges[:, 0]
        self._samples += len(level)
        if not len(level):
            return
        if full[1] and lengths[0] == len(level):
            self._open += len(level)
            return
        if full[1]:
            lengths[0] += self._open
        else:
            lengths = np.concatenate(([self._open], lengths))
        self._open = int(lengths[-1]) if full[-2] else 0
        ended = lengths[:-1] if full[-2] else lengths
        self._counted += int(ended[ended >= CLIPPED_RUN].sum())


def clipped_share(level: NDArray[np.floating]) -> float:
    """Share of the absolute samples `[sample]` that lie in runs of at least `CLIPPED_RUN` at full scale.

    >>> clipped_share(np.array([1.0, 1.0, 1.0, 0.0]))
    0.75
    """
    runs = Runs()
    runs.add(level)
    return runs.share
