"""What can be said of one sound file by looking at it: the measurements of the data doctor."""

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsed.data import audio as sound
from wsed.errors import WsedError

SILENT_PEAK = 10 ** (-60 / 20)
"""A clip whose peak is below this (-60 dBFS) is silent."""
CLIPPED_SHARE = 1e-3
"""A clip with a greater share of its samples in runs at full scale is clipped."""
FULL_SCALE = 1 - 2 / 32768
"""The two loudest steps of 16 bit audio count as full scale."""
CLIPPED_RUN = 3
"""Fewer samples at full scale in a row are an ordinary peak."""
UNKNOWN_SIZE = 0x7FFFF000
"""Programs that write a WAV to a pipe leave a data size of at least this: it says nothing of the true one."""

FIXED_BLOCKS = (1, 3, 0xFFFE)
"""WAV formats (PCM, float, extensible) whose blocks hold one sample of each channel."""


@dataclass(frozen=True)
class Probe:
    """One sound file. Fields below `sample_rate` need decoding and are None or 0 where only the header was read.

    Attributes:
        error: why it cannot be read; empty if it can.
        declared: samples its header promises.
        sample_rate: Hz.
        decoded: samples that could be decoded; None if not tried.
        peak: greatest absolute sample, 1 being full scale; None if not known.
        clipped: share of the samples that lie in runs at full scale.
        not_finite: number of NaN and infinite samples.
        digest: hash of the decoded samples and their rate: equal for the same sound in WAV and FLAC.
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
    def truncated(self) -> bool:
        """Less can be decoded than the header promises."""
        return self.decoded is not None and self.decoded < self.declared

    @property
    def duration(self) -> float:
        """Seconds that can be decoded, or that the header promises if nothing was decoded."""
        samples = self.declared if self.decoded is None else self.decoded
        return samples / self.sample_rate if self.sample_rate else 0.0


def probe(path: str | Path, quick: bool = False) -> Probe:
    """Look at one sound file; a file that cannot be read gives a `Probe` with `error`, never an exception.

    Args:
        path: a sound file.
        quick: read the header only.
    """
    try:
        header = sound.info(path)
        present = header.n_samples
        declared = max(present, declared_samples(path))
        if not declared:
            return Probe(f"{path} holds no samples")
        if quick:
            # libsndfile cuts the sample count of a truncated WAV to what is there: known without decoding.
            return Probe("", declared, header.sample_rate, present if present < declared else None)
        try:
            samples, rate = sound.decode(path)
        except WsedError:
            return Probe("", declared, header.sample_rate, sound.decodable(path))
    except (WsedError, OSError) as error:
        return Probe(str(error))
    return measure(samples, rate, declared)


def measure(samples: NDArray[np.float32], sample_rate: int, declared: int) -> Probe:
    """The `Probe` of decoded samples `[sample channel]`, of which the header promised `declared`."""
    level = np.abs(samples)
    finite = np.isfinite(level)
    return Probe(
        declared=declared,
        sample_rate=sample_rate,
        decoded=len(samples),
        peak=float(np.max(level, where=finite, initial=0.0)),
        clipped=max((clipped_share(level[:, channel]) for channel in range(level.shape[1])), default=0.0),
        not_finite=int(finite.size - finite.sum()),
        digest=hashlib.blake2b(samples.tobytes(), digest_size=16, salt=struct.pack("<I", sample_rate)).hexdigest(),
    )


def clipped_share(level: NDArray[np.float32]) -> float:
    """Share of the absolute samples `[sample]` in runs of at least `CLIPPED_RUN` at full scale."""
    full = np.concatenate(([False], level >= FULL_SCALE, [False]))
    edges = np.flatnonzero(full[1:] != full[:-1]).reshape(-1, 2)
    runs = edges[:, 1] - edges[:, 0]
    return float(runs[runs >= CLIPPED_RUN].sum()) / max(len(level), 1)


def declared_samples(path: str | Path) -> int:
    """Samples the `data` chunk of a WAV file promises; 0 for other files and where it does not say.

    libsndfile reports what is there, not what was promised, so a download that broke off looks whole.
    """
    with Path(path).open("rb") as file:
        riff = file.read(12)
        if riff[:4] != b"RIFF" or riff[8:] != b"WAVE":
            return 0
        block = 0
        while len(head := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", head)
            if name == b"data":
                return int(size) // block if block and size < UNKNOWN_SIZE else 0
            body = file.read(size + size % 2)
            if name == b"fmt " and len(body) >= 16 and struct.unpack_from("<H", body)[0] in FIXED_BLOCKS:
                (block,) = struct.unpack_from("<H", body, 12)
    return 0
