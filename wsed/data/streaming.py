"""Sound files of any length in blocks, decoded, mixed to mono and resampled; no file is in memory as a whole."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from wsed.data import audio as sound
from wsed.errors import WsedError

SLACK = 1152
"""Samples by which a file may end early: encoders of MP3 count one frame more or less."""


def stream(
    path: str | Path, sample_rate: int, channel: int | None = None, header: sound.AudioInfo | None = None
) -> Iterator[NDArray[np.float32]]:
    """The samples of a file at `sample_rate` in blocks of about a second, float32 `[sample]`.

    Joined, the blocks equal what `wsed.data.audio.read` returns for the whole file.

    Args:
        path: any sound file that libsndfile reads.
        sample_rate: sample rate of the result, Hz.
        channel: number of the channel, from 1; None: the mean of all channels.
        header: the header of the file, if it was read before.

    Raises:
        WsedError: the file is missing, damaged or truncated, has NaN or infinite samples, or has no such channel.
    """
    header = sound.info(path) if header is None else header
    if channel is not None and not 1 <= channel <= header.n_channels:
        raise WsedError(f"{path} has {header.n_channels} channel(s), so there is no channel {channel}")
    resample = None
    if header.sample_rate != sample_rate:
        resample = soxr.ResampleStream(header.sample_rate, sample_rate, 1, dtype="float32", quality="HQ").resample_chunk
    done = 0
    for block in sound.blocks(path):
        done += len(block)
        mono = _mono(block, channel)
        if not np.isfinite(mono).all():
            raise WsedError(f"{path} holds NaN or infinite samples; export it again")
        yield mono if resample is None else resample(mono)
    if done + SLACK < header.n_samples:
        raise WsedError(
            f"{path} is damaged after {done / header.sample_rate:.1f} s: its samples cannot all be decoded; "
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
