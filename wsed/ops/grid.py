"""Which frames of a padded batch hold signal."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def valid_frames(n_samples: Int[Tensor, " clip"], hop: int, n_frames: int) -> Bool[Tensor, "clip frame"]:
    """Mark the frames whose centre lies within their clip; frame `i` is centred on sample `i * hop`.

    Args:
        n_samples: length of each clip in samples.
        hop: samples from one frame to the next.
        n_frames: frames of the padded batch.

    >>> valid_frames(torch.tensor([320, 640]), hop=320, n_frames=3).int()
    tensor([[1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)
    """
    return torch.arange(n_frames, device=n_samples.device) <= torch.div(n_samples, hop, rounding_mode="floor")[:, None]
