"""Reading and writing sound files: the only module that touches libsndfile and the resampler."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from wsed.data import headers, mp3
from wsed.errors import WsedError
from wsed.files import write_whole
from wsed.text import short

WRITTEN = (".wav", ".flac", ".ogg", ".mp3")
"""Suffixes of the files that are written here."""

SUFFIXES = (
    *WRITTEN, ".opus", ".oga", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".voc", ".sph",
    ".nist", ".avr", ".htk", ".pvf", ".sds", ".wve", ".mp2",
)  # fmt: skip
"""Suffixes of the files that are taken for sound: libsndfile reads them."""

BLOCK = 65536
"""Samples of each channel that are decoded at a time where a file is looked through."""

_SMALL_BLOCK = 4096

_SLACK = {"MP3": 1152}
"""Samples by which a format's files may end early: programs differ by a frame in what they count."""

_UNKNOWN = 2**40
"""libsndfile gives a FLAC of unknown length 2**63 - 1 samples."""


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says.

    Attributes:
        n_samples: of each channel, as the header promises.
        sample_rate: Hz.
        n_channels: 1 for mono.
        missing: samples of those promised that are known not to be there, as the file was cut off.
    """

    n_samples: int
    sample_rate: int
    n_channels: int
    missing: int = 0

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.n_samples / self.sample_rate


def info(path: str | Path) -> AudioInfo:
    """The header of a sound file that is whole.

    Raises:
        WsedError: as `header`, or the file was cut off.
    """
    found = header(path)
    if found.missing:
        raise WsedError(_truncated(path, found))
    return found


def header(path: str | Path) -> AudioInfo:
    """The header of a sound file, of one that was cut off too.

    The length of an MP3 is that of its frames, counted where it does not say.

    Raises:
        WsedError: the file is missing, empty or no sound file, or does not say how long it is.
    """
    with _opened(path) as (_, found):
        return found


def read(path: str | Path, sample_rate: int, start: float = 0.0, duration: float | None = None) -> NDArray[np.float32]:
    """A mono sound at `sample_rate`, float32 `[sample]`; channels are averaged, other rates resampled (soxr HQ).

    Args:
        path: WAV, FLAC, OGG or MP3.
        sample_rate: of the result, Hz.
        start: where to begin, seconds. Only the part asked for is read from the disk.
        duration: how much, seconds; all that is left if None. Less comes back where the file ends earlier.

    Raises:
        WsedError: the file is missing or unreadable, holds no samples or NaN or infinite ones, or some of the samples
            asked for are not there though its header promises them.
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
    with _opened(path) as (file, found):
        rate = found.sample_rate
        first = min(round(start * rate), found.n_samples)
        wanted = found.n_samples - first if duration is None else min(round(duration * rate), found.n_samples - first)
        if found.missing and first + wanted > found.n_samples - found.missing:
            raise WsedError(_truncated(path, found))
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
    """The samples of a file in blocks, float32 `[sample channel]`, until it ends or is damaged.

    Raises:
        WsedError: as in `header`.
    """
    done = 0
    for size in (BLOCK, _SMALL_BLOCK):  # a block with damage in it is lost: the samples before it come in small ones
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
    """How many samples can be decoded before the file ends or is damaged; errors as in `header`."""
    return sum(map(len, blocks(path)))


def write(path: str | Path, audio: NDArray[np.floating], sample_rate: int) -> None:
    """Write `[sample]` as 16 bit audio, the format by the file's suffix; the file appears whole or not at all.

    Raises:
        WsedError: the suffix is none of `WRITTEN`, or the file cannot be written.
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
    """A file to be decoded, and what it says of itself; errors as in `header`."""
    problem = _problem(path)
    if problem:
        raise WsedError(problem)
    frames = mp3.frames(path)
    with _open(path, frames) as file:
        if frames is None and file.format == "MP3":
            frames = mp3.frames(path, anywhere=True)
            if frames is not None and frames.prefix:
                with _open(path, frames) as again:
                    yield again, _info(path, again, frames)
                return
        yield file, _info(path, file, frames)


def _info(path: str | Path, file: soundfile.SoundFile, frames: mp3.Frames | None) -> AudioInfo:
    found = AudioInfo(file.frames, file.samplerate, file.channels)
    if file.format == "MP3":
        guessed = frames is None or (not frames.prefix and abs(frames.count * frames.samples - file.frames) > 1152)
        if guessed:
            raise WsedError(f"{path} does not say how long it is, and cannot be counted; {_CONVERT}")
        missing = frames.missing * frames.samples if frames else 0
        return AudioInfo(file.frames + missing, file.samplerate, file.channels, missing)
    if file.frames > _UNKNOWN:
        raise WsedError(f"{path} does not say how long it is (written to a pipe?); {_CONVERT}")
    if headers.ogg_is_cut(path):
        raise WsedError(f"{path} is truncated: its stream has no end; download it again")
    data = headers.data_chunk(path)
    if data is None or data.there >= data.promised:
        return found
    promised = data.promised // data.block
    if not data.fixed:  # the last block of a codec may be there in part
        promised = round(file.frames * -(-data.promised // data.block) / max(1, -(-data.there // data.block)))
    missing = max(0, promised - file.frames)
    return AudioInfo(file.frames + missing, file.samplerate, file.channels, missing)


_CONVERT = "convert it once more, to a file"


@contextmanager
def _open(path: str | Path, frames: mp3.Frames | None) -> Iterator[soundfile.SoundFile]:
    if Path(path).suffix.lower() == ".raw":
        raise WsedError(f"{path} is raw samples without a header; convert it to WAV or FLAC")
    with ExitStack() as stack:
        whole = frames is None or frames.stated or not frames.prefix
        source = str(path) if frames is None or whole else stack.enter_context(mp3.opened(path, frames))
        try:
            file = stack.enter_context(soundfile.SoundFile(source))
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise WsedError(_complaint(path, error)) from None
        yield file


def _complaint(path: str | Path, error: Exception) -> str:
    expected = f"expected one of {', '.join(WRITTEN)} or another format of libsndfile"
    if kind := headers.foreign(path):
        return f"cannot read {path} as sound: it is {kind}, whatever its name, {expected}; convert it to FLAC or WAV"
    reason = getattr(error, "error_string", error)  # without the path, which is in the message already
    return f"cannot read {path} as sound ({reason}); {expected}; download it again"


def _problem(path: str | Path) -> str:
    """Why a file cannot be opened; empty if it can."""
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
    """Begin at a sample; where a codec cannot seek, decode what comes before it."""
    if sample and file.seekable():
        file.seek(sample)
        return
    while sample and (n := len(file.read(min(sample, BLOCK), dtype="float32", always_2d=True))):
        sample -= n


def _truncated(path: str | Path, found: AudioInfo) -> str:
    there = found.n_samples - found.missing
    return f"{path} is truncated: its header says {found.n_samples} samples, {there} are there; download it again"
