"""The frames of features that hold signal, and their statistics."""

import torch
from jaxtyping import Bool, Float
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
    longest = batch.n_samples.max() if batch.audio is None else batch.audio.shape[1]
    last = (batch.n_samples.double() * n_frames / longest).ceil()
    return torch.arange(n_frames, device=features.device) < last[:, None]


def mean_and_std(
    features: Float[Tensor, "clip band frame"], frames: Bool[Tensor, "clip frame"]
) -> tuple[Float[Tensor, "clip band 1"], Float[Tensor, "clip band 1"]]:
    """Mean and standard deviation of each band over the frames of a mask.

    >>> mean_and_std(torch.tensor([[[1.0, 3.0, 99.0]]]), torch.tensor([[True, True, False]]))
    (tensor([[[2.]]]), tensor([[[1.]]]))
    """
    mask, count = frames[:, None], frames.sum(1).clamp(min=1)[:, None, None]
    mean = torch.where(mask, features, 0.0).sum(2, keepdim=True) / count
    variance = torch.where(mask, (features - mean).square(), 0.0).sum(2, keepdim=True) / count
    return mean, variance.sqrt()


def inside_clips(batch: Batch) -> Bool[Tensor, "clip sample"]:
    """The samples within each clip's length; the others are padding.

    >>> from wsed.testing import batch
    >>> inside_clips(batch()).sum(1).tolist()
    [8000, 8000, 8000, 4800]
    """
    audio = batch.samples()
    return torch.arange(audio.shape[1], device=audio.device) < batch.n_samples[:, None]
