"""Reading and writing of sound files; the only module that uses libsndfile and the resampler."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from wsed.data import headers, mp3
from wsed.data.packed.contents import packed_sound
from wsed.errors import WsedError
from wsed.files import write_whole
from wsed.text import short

WRITTEN = (".wav", ".flac", ".ogg", ".mp3")
"""Suffixes of the files that can be written."""

SUFFIXES = (
    *WRITTEN, ".opus", ".oga", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".voc", ".sph",
    ".nist", ".avr", ".htk", ".pvf", ".sds", ".wve", ".mp2",
)  # fmt: skip
"""Suffixes of files that count as sound files; libsndfile reads them."""

BLOCK = 65536
"""Samples per channel that are decoded at a time when a whole file is decoded."""

_SMALL_BLOCK = 4096

_SLACK = {"MP3": 1152}
"""Samples that may be missing at the end of a file, by format: encoders differ by one frame in their count."""

_UNKNOWN = 2**40
"""libsndfile reports 2**63 - 1 samples for a FLAC of unknown length."""


@dataclass(frozen=True)
class AudioInfo:
    """The facts in the header of a sound file.

    Attributes:
        n_samples: samples per channel that the header declares.
        sample_rate: Hz.
        n_channels: 1 for mono.
        missing: how many of the declared samples are missing because the file is truncated.

    >>> AudioInfo(n_samples=8000, sample_rate=16000, n_channels=1).duration
    0.5
    """

    n_samples: int
    sample_rate: int
    n_channels: int
    missing: int = 0

    @property
    def duration(self) -> float:
        """Declared duration, in seconds."""
        return self.n_samples / self.sample_rate


def info(path: str | Path) -> AudioInfo:
    """The header of a sound file; a truncated file is refused.

    Raises:
        WsedError: the file is truncated, or `header` refuses it.
    """
    result = header(path)
    if result.missing:
        raise WsedError(_truncated(path, result))
    return result


def header(path: str | Path) -> AudioInfo:
    """The header of a sound file, which may be truncated.

    The frames of an MP3 are counted if its header does not declare its length.

    Raises:
        WsedError: the file is missing, empty or not a sound file, or its length is unknown.
    """
    with _opened(path) as (_, result):
        return result


def read(path: str | Path, sample_rate: int, start: float = 0.0, duration: float | None = None) -> NDArray[np.float32]:
    """Read a sound file as mono samples `[sample]`, float32, at `sample_rate`.

    Channels are averaged. Other sample rates are resampled (soxr HQ).

    Args:
        path: a sound file in any format of libsndfile.
        sample_rate: sample rate of the result, Hz.
        start: start of the part to read, in seconds. Only this part is read from the disk.
        duration: length of the part, in seconds; None: up to the end. The result is shorter if the file ends earlier.

    Raises:
        WsedError: the file is missing or unreadable, has no samples, has NaN or infinite samples, or is truncated
            within the part.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder) / "a.wav", np.zeros(8000, dtype=np.float32), sample_rate=8000)
    ...     read(Path(folder) / "a.wav", sample_rate=16000, start=0.5).shape, info(Path(folder) / "a.wav").duration
    ((8000,), 1.0)
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
    """The unchanged samples of a file, float32 `[sample channel]`, and their rate, Hz; arguments as in `read`.

    Raises:
        WsedError: the file is missing or unreadable, or some samples of the part cannot be decoded.
    """
    with _opened(path) as (file, header_):
        rate = header_.sample_rate
        first = min(round(start * rate), header_.n_samples)
        rest = header_.n_samples - first
        wanted = rest if duration is None else min(round(duration * rate), rest)
        if header_.missing and first + wanted > header_.n_samples - header_.missing:
            raise WsedError(_truncated(path, header_))
        try:
            _go_to(file, first)
            samples: NDArray[np.float32] = file.read(wanted, dtype="float32", always_2d=True)
            short = len(samples) < wanted - _SLACK.get(file.format, 0)
        except (soundfile.LibsndfileError, RuntimeError):
            short = True
        if short:
            raise WsedError(f"{path} is damaged: its samples cannot all be decoded; download it again")
        return samples, rate


def blocks(path: str | Path) -> Iterator[NDArray[np.float32]]:
    """The samples of a file in blocks, float32 `[sample channel]`, up to its end or to the first damage.

    Raises:
        WsedError: `header` refuses the file.
    """
    done = 0
    for size in (BLOCK, _SMALL_BLOCK):  # a damaged block is lost, so the samples before the damage need small blocks
        with _opened(path) as (file, _):
            try:
                _go_to(file, done)
                while len(block := file.read(size, dtype="float32", always_2d=True)):
                    done += len(block)
                    yield block
            except (soundfile.LibsndfileError, RuntimeError):
                continue
            return


def decodable(path: str | Path) -> int:
    """Number of samples that can be decoded before the end or the first damage; raises the errors of `header`."""
    return sum(map(len, blocks(path)))


def write(path: str | Path, audio: NDArray[np.floating], sample_rate: int) -> None:
    """Write samples `[sample]` as 16-bit audio, atomically; the suffix of the file decides the format.

    Raises:
        WsedError: the suffix is not in `WRITTEN`, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in WRITTEN:
        raise WsedError(f"cannot write {path}: expected a suffix of {', '.join(WRITTEN)}")
    subtype = "PCM_16" if path.suffix.lower() in (".wav", ".flac") else None
    try:
        with write_whole(path) as part:
            soundfile.write(str(part), audio, sample_rate, subtype=subtype)
    except OSError as error:
        raise WsedError(f"cannot write {path}: {error.strerror}; make room, or choose another folder") from None
    except soundfile.LibsndfileError as error:
        raise WsedError(f"cannot write {path} ({error.error_string}); is the disk full?") from None


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[soundfile.SoundFile, AudioInfo]]:
    """The opened file and its header; raises the errors of `header`."""
    if not os.path.exists(path) and (packed := packed_sound(path)) is not None:  # noqa: PTH110 - a bad name is no error
        samples, rate = packed
        with soundfile.SoundFile(BytesIO(samples.tobytes()), "r", rate, 1, "PCM_16", "LITTLE", "RAW") as file:
            yield file, AudioInfo(len(samples), rate, 1)
        return
    try:
        frames = mp3.frames(path)
    except (OSError, ValueError) as error:
        raise WsedError(_problem(path) or f"cannot read {short(path)}: {error}") from None
    with _open(path, frames) as file:
        if frames is None and file.format == "MP3":
            frames = mp3.frames(path, anywhere=True)
            if frames is not None and frames.prefix:
                with _open(path, frames) as again:
                    yield again, _info(path, again, frames)
                return
        yield file, _info(path, file, frames)


def _info(path: str | Path, file: soundfile.SoundFile, frames: mp3.Frames | None) -> AudioInfo:
    whole = AudioInfo(file.frames, file.samplerate, file.channels)
    if file.format == "MP3":
        guessed = frames is None or (not frames.prefix and abs(frames.count * frames.samples - file.frames) > 1152)
        if guessed:
            raise WsedError(f"{path} does not declare its length, and its frames cannot be counted; {_CONVERT}")
        missing = frames.missing * frames.samples if frames else 0
        return AudioInfo(file.frames + missing, file.samplerate, file.channels, missing)
    if file.frames > _UNKNOWN:
        raise WsedError(f"{path} does not declare its length (written to a pipe?); {_CONVERT}")
    if file.format == "FLAC":  # a part that is missing is found when it is decoded
        return whole
    if headers.ogg_is_cut(path):
        raise WsedError(f"{path} is truncated: its stream has no end; download it again")
    data = headers.data_chunk(path)
    if data is None or data.present >= data.declared:
        return whole
    declared = data.declared // data.block
    if not data.fixed:  # the last block of a codec may be incomplete
        declared = round(file.frames * -(-data.declared // data.block) / max(1, -(-data.present // data.block)))
    missing = max(0, declared - file.frames)
    return AudioInfo(file.frames + missing, file.samplerate, file.channels, missing)


_CONVERT = "convert it again, into a file"


@contextmanager
def _open(path: str | Path, frames: mp3.Frames | None) -> Iterator[soundfile.SoundFile]:
    if Path(path).suffix.lower() == ".raw":
        raise WsedError(f"{path} is raw samples without a header; convert it to WAV or FLAC")
    with ExitStack() as stack:
        whole = frames is None or frames.is_declared or not frames.prefix
        source = str(path) if frames is None or whole else stack.enter_context(mp3.opened(path, frames))
        try:
            file = stack.enter_context(soundfile.SoundFile(source))
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise WsedError(_complaint(path, error)) from None
        yield file


def _complaint(path: str | Path, error: Exception) -> str:
    if problem := _problem(path):
        return problem
    expected = f"expected one of {', '.join(WRITTEN)} or another format of libsndfile"
    if kind := headers.foreign(path):
        return f"cannot read {path} as sound: it is {kind}, {expected}; convert it to FLAC or WAV"
    reason = getattr(error, "error_string", error)  # without the path: the message has it already
    return f"cannot read {path} as sound ({reason}); {expected}; download it again"


def _problem(path: str | Path) -> str:
    """The reason why a file cannot be opened; empty if it can be opened."""
    try:
        with Path(path).open("rb") as file:
            return "" if file.read(1) else f"{path} is an empty file; download it again"
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL byte in the name
        return f"no such file: {path}"
    except IsADirectoryError:
        return f"{path} is a folder, not a sound file"
    except OSError as error:
        return f"cannot read {short(path)}: {error.strerror}"


def _go_to(file: soundfile.SoundFile, sample: int) -> None:
    """Move to a sample; decode the samples before it if the codec cannot seek."""
    if sample and file.seekable():
        file.seek(sample)
        return
    while sample and (n := len(file.read(min(sample, BLOCK), dtype="float32", always_2d=True))):
        sample -= n


def _truncated(path: str | Path, header_: AudioInfo) -> str:
    declared, present = header_.n_samples, header_.n_samples - header_.missing
    return f"{path} is truncated: its header declares {declared} samples, {present} are there; download it again"
