"""The samples and frames that hold signal, their statistics, and parts of recordings."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.types import Batch


def valid_frames(batch: Batch) -> Bool[Tensor, "clip frame"]:
    """The frames within the duration of each clip; the number of frames gives the frame rate.

    Args:
        batch: a batch with features.

    >>> from dataclasses import replace
    >>> from wsed.testing import batch
    >>> inputs = replace(batch(), features=torch.zeros(4, 2, 10))
    >>> valid_frames(inputs).sum(1).tolist()
    [10, 10, 10, 6]
    """
    features = batch.features
    assert features is not None
    n_frames = features.shape[2]
    longest = (batch.longest or batch.n_samples.max()) if batch.audio is None else batch.audio.shape[1]
    last = (batch.n_samples.double() * n_frames / longest).ceil()
    return torch.arange(n_frames, device=last.device) < last[:, None]


def padding(batch: Batch) -> tuple[Bool[Tensor, "clip frame"], ...]:
    """The `valid_frames` if some clips may be padded, else nothing.

    >>> from dataclasses import replace
    >>> from wsed.testing import batch
    >>> len(padding(replace(batch(), features=torch.zeros(4, 2, 10)))), padding(replace(batch(), full=True))
    (1, ())
    """
    return () if batch.full else (valid_frames(batch),)


def lengths(batch: Batch) -> tuple[Int[Tensor, " clip"], ...]:
    """The length of each clip, in samples, if some may be padded, else nothing.

    >>> from wsed.testing import batch
    >>> lengths(batch(n_clips=2))
    (tensor([8000, 4800]),)
    """
    return () if batch.full else (batch.n_samples,)


def mean_over(
    features: Float[Tensor, "clip band frame"], frames: Bool[Tensor, "clip frame"] | None = None
) -> Float[Tensor, "clip band 1"]:
    """Mean of each band over all frames, or those of a mask.

    >>> mean_over(torch.tensor([[[1.0, 3.0, 99.0]]]), torch.tensor([[True, True, False]]))
    tensor([[[2.]]])
    """
    if frames is None:
        return features.mean(2, keepdim=True)
    return torch.where(frames[:, None], features, 0.0).sum(2, keepdim=True) / frames.sum(1).clamp(min=1)[:, None, None]


def inside(audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]) -> Bool[Tensor, "clip sample"]:
    """The samples within each clip's length; the others are padding.

    >>> inside(torch.zeros(2, 4), torch.tensor([4, 1])).sum(1).tolist()
    [4, 1]
    """
    return torch.arange(audio.shape[1], device=audio.device) < n_samples[:, None]


def parts(audio: Float[Tensor, " sample"], start: Int[Tensor, " part"], length: int) -> Float[Tensor, "part length"]:
    """Parts of a recording, of equal length.

    >>> parts(torch.arange(5.0), torch.tensor([0, 2]), 3).tolist()
    [[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]
    """
    return audio.unfold(0, length, 1).index_select(0, start)  # three times as quick as an index of each sample
