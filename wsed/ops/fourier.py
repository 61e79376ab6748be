"""A Fourier transform of two matrix products, for runtimes whose own transform is slow."""

import math

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor


def power_spectrum(
    audio: Float[Tensor, "clip sample"], window: Float[Tensor, " size"], hop: int
) -> Float[Tensor, "clip bin frame"]:
    """The squared magnitudes of `torch.stft` with centred frames and zeros around the clip.

    A transform of `rows * columns` samples is one of `rows` samples, a rotation, and one of `columns` samples (Cooley &
    Tukey 1965). The first is a matrix product, the rotation and the second are another. Since samples are real, half of
    the rows are enough. Time is the last axis throughout, so that no product has to turn its input. Torch's own
    transform is faster; ONNX Runtime's takes longer than the whole network.

    Args:
        audio: the samples.
        window: the window, as long as the transform.
        hop: samples from one frame to the next.

    >>> audio, window = torch.randn(2, 400), torch.hann_window(64)
    >>> spectrum = torch.stft(audio, 64, 16, window=window, pad_mode="constant", return_complex=True)
    >>> torch.allclose(power_spectrum(audio, window, 16), spectrum.abs().square(), atol=1e-3)
    True
    """
    size = len(window)
    columns, rows = factors(size)
    kept = torch.arange(rows // 2 + 1)
    frames = frames_of(audio, size, hop) * window[:, None]
    over_rows = _waves(torch.outer(kept, torch.arange(rows)), rows)
    first = torch.stack([over_rows.real, over_rows.imag], 1).flatten(0, 1).to(audio)  # [2 * kept, rows]
    n_clips, n_frames = frames.shape[0], frames.shape[2]  # not len(): an export would fix it
    parts = first @ frames.reshape(n_clips, rows, columns * n_frames)  # of each row, for all columns and frames
    parts = parts.reshape(n_clips, len(kept), 2 * columns, n_frames)
    bins = kept[:, None] + rows * torch.arange(columns)
    turned = _waves(bins[..., None] * torch.arange(columns), size)  # [kept, columns of the result, columns]
    real, imag = torch.cat([turned.real, -turned.imag], 2), torch.cat([turned.imag, turned.real], 2)
    spectrum = torch.cat([real, imag], 1).to(audio) @ parts
    squares = spectrum * spectrum  # as a product: a power of 2 takes ONNX Runtime longer
    power: Tensor = squares[:, :, :columns] + squares[:, :, columns:]  # [clip, kept, columns, frame]
    return power.flatten(1, 2).index_select(1, _order(size, rows, columns).to(audio.device))


def frames_of(audio: Float[Tensor, "clip sample"], size: int, hop: int) -> Float[Tensor, "clip size frame"]:
    """Centred frames of `size` samples, with zeros around the clip.

    They are put together from blocks of `hop` samples, since to pick single samples is slow.

    >>> frames_of(torch.arange(1.0, 6.0)[None], size=4, hop=2)[0].T.tolist()
    [[0.0, 0.0, 1.0, 2.0], [1.0, 2.0, 3.0, 4.0], [3.0, 4.0, 5.0, 0.0]]
    """
    blocks = -(-size // hop)
    n_frames = (audio.shape[1] + 2 * (size // 2) - size) // hop + 1
    padded = torch.nn.functional.pad(audio, (size // 2, size // 2 + blocks * hop - size))
    steps = n_frames + blocks - 1
    samples = padded[:, : steps * hop].reshape(-1, steps, hop).transpose(1, 2)  # [clip, sample, block]
    parts = [samples[:, : size - i * hop, i : i + n_frames] for i in range(blocks)]
    return torch.cat(parts, 1)


def factors(size: int) -> tuple[int, int]:
    """The two factors of a number that lie nearest to each other, the smaller one first.

    >>> factors(1024), factors(400), factors(13)
    ((32, 32), (20, 20), (1, 13))
    """
    small = next(n for n in range(math.isqrt(size), 0, -1) if size % n == 0)
    return small, size // small


def _waves(turns: Int[Tensor, "*shape"], size: int) -> Complex[Tensor, "*shape"]:
    """`exp(-2 pi i turns / size)`."""
    angle = -2 * math.pi * turns.remainder(size).double() / size
    return torch.polar(torch.ones_like(angle), angle)


def _order(size: int, rows: int, columns: int) -> Int[Tensor, " bin"]:
    """Where each bin is: bin `row + rows * column` at `row * columns + column`, or the bin that mirrors it."""
    bins = torch.arange(size // 2 + 1)
    bins = torch.where(bins % rows <= rows // 2, bins, size - bins)
    return bins % rows * columns + bins // rows
