"""The grid of frames."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def valid_frames(n_samples: Int[Tensor, " clip"], hop: int, n_frames: int) -> Bool[Tensor, "clip frame"]:
    """Which frames of a centred grid hold signal: frame `i` is centred on sample `i * hop` of its clip."""
    return torch.arange(n_frames, device=n_samples.device) <= torch.div(n_samples, hop, rounding_mode="floor")[:, None]
