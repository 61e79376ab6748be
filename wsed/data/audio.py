"""Reading and writing sound files: the only module that touches libsndfile and the resampler."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from wsed.errors import WsedError
from wsed.files import write_whole

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")

_UNKNOWN = 2**40
"""libsndfile gives a FLAC of unknown length 2**63 - 1 samples."""


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says."""

    n_samples: int
    sample_rate: int
    n_channels: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.n_samples / self.sample_rate


def info(path: str | Path) -> AudioInfo:
    """The header of a sound file.

    Raises:
        WsedError: the file is missing, empty or no sound file, or does not say how long it is.
    """
    with _open(path) as file:
        return AudioInfo(file.frames, file.samplerate, file.channels)


def read(path: str | Path, sample_rate: int, start: float = 0.0, duration: float | None = None) -> NDArray[np.float32]:
    """A mono sound at `sample_rate`, float32 `[sample]`; channels are averaged, other rates resampled (soxr HQ).

    Args:
        path: WAV, FLAC, OGG or MP3.
        sample_rate: of the result, Hz.
        start: where to begin, seconds. Only the part asked for is read from the disk.
        duration: how much, seconds; all that is left if None. Less comes back where the file ends earlier.

    Raises:
        WsedError: the file is missing, unreadable, holds no samples or holds NaN or infinite samples.
    """
    audio, rate = decode(path, start, duration)
    mono: NDArray[np.float32] = audio[:, 0] if audio.shape[1] == 1 else audio.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise WsedError(f"{path} holds NaN or infinite samples; export it again")
    if rate != sample_rate and mono.size:
        mono = soxr.resample(mono, rate, sample_rate, quality="HQ").astype(np.float32, copy=False)
    if not mono.size:
        raise WsedError(f"{path} holds no samples{f' after {start:g} s' if start else ''}")
    return np.ascontiguousarray(mono)


def decode(path: str | Path, start: float = 0.0, duration: float | None = None) -> tuple[NDArray[np.float32], int]:
    """The samples as they are in the file, float32 `[sample channel]`, and their rate, Hz; arguments as in `read`.

    Raises:
        WsedError: the file is missing or unreadable, or some of the samples asked for cannot be decoded.
    """
    with _open(path) as file:
        rate = file.samplerate
        frames = -1 if duration is None else round(duration * rate)
        try:
            file.seek(min(round(start * rate), file.frames))
            return file.read(frames, dtype="float32", always_2d=True), rate
        except (soundfile.LibsndfileError, RuntimeError):
            raise WsedError(f"{path} is damaged: its samples cannot all be decoded; download it again") from None


def decodable(path: str | Path) -> int:
    """How many samples can be decoded before the file ends or is damaged; errors as in `info`."""
    count = 0
    with _open(path) as file:
        try:
            while block := len(file.read(4096, dtype="float32", always_2d=True)):
                count += block
        except (soundfile.LibsndfileError, RuntimeError):
            pass
    return count


def write(path: str | Path, audio: NDArray[np.floating], sample_rate: int) -> None:
    """Write `[sample]` as 16 bit audio, the format by the file's suffix; the file appears whole or not at all.

    Raises:
        WsedError: the suffix is none of `SUFFIXES`.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise WsedError(f"cannot write {path}: expected a suffix of {', '.join(SUFFIXES)}")
    subtype = "PCM_16" if path.suffix.lower() in (".wav", ".flac") else None
    with write_whole(path) as part:
        soundfile.write(str(part), audio, sample_rate, subtype=subtype)


def _open(path: str | Path) -> soundfile.SoundFile:
    try:
        file = soundfile.SoundFile(str(path))
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise WsedError(_complaint(path, error)) from None
    if file.frames > _UNKNOWN:
        file.close()
        raise WsedError(f"{path} does not say how long it is (written to a pipe?); convert it once more, to a file")
    return file


def _complaint(path: str | Path, error: Exception) -> str:
    path = Path(path)
    if not path.exists():
        return f"no such file: {path}"
    if path.stat().st_size == 0:
        return f"{path} is an empty file"
    reason = getattr(error, "error_string", error)  # without the path, which is in the message already
    return f"cannot read {path} as sound ({reason}); expected one of {', '.join(SUFFIXES)}"
