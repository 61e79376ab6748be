"""Sound files of any length in blocks: decoded, mixed to mono and resampled without ever holding the whole of one."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from wsed.data import audio as sound
from wsed.errors import WsedError

SLACK = 1152
"""Samples by which a file may end early: programs that write MP3 differ by a frame in what they count."""


def stream(
    path: str | Path, sample_rate: int, channel: int | None = None, found: sound.AudioInfo | None = None
) -> Iterator[NDArray[np.float32]]:
    """The samples of a file at `sample_rate` in blocks of a second or so, float32 `[sample]`.

    One after the other, the blocks are what `wsed.data.audio.read` gives for the whole file.

    Args:
        path: any sound file that libsndfile reads.
        sample_rate: of the result, Hz.
        channel: which channel, the first being 1; None: the mean of all.
        found: the header of the file, if it was read before.

    Raises:
        WsedError: the file is missing, damaged or cut off, has NaN or infinite samples, or has no such channel.
    """
    found = sound.info(path) if found is None else found
    if channel is not None and not 1 <= channel <= found.n_channels:
        raise WsedError(f"{path} has {found.n_channels} channels, so there is no channel {channel}")
    resample = None
    if found.sample_rate != sample_rate:
        resample = soxr.ResampleStream(found.sample_rate, sample_rate, 1, dtype="float32", quality="HQ").resample_chunk
    done = 0
    for block in sound.blocks(path):
        done += len(block)
        mono = _mono(block, channel)
        if not np.isfinite(mono).all():
            raise WsedError(f"{path} holds NaN or infinite samples; export it again")
        yield mono if resample is None else resample(mono)
    if done + SLACK < found.n_samples:
        raise WsedError(
            f"{path} is damaged after {done / found.sample_rate:.1f} s: its samples cannot all be decoded; "
            "download it again"
        )
    if resample is not None:
        yield resample(np.zeros(0, np.float32), last=True)


def _mono(block: NDArray[np.float32], channel: int | None) -> NDArray[np.float32]:
    if channel is not None:
        return np.ascontiguousarray(block[:, channel - 1])
    if block.shape[1] == 1:
        return block[:, 0]
    mixed: NDArray[np.float32] = block.mean(axis=1, dtype=np.float32)
    return mixed
