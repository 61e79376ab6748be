"""Which frames of a padded batch hold signal."""

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from wsed.ops import host


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


def whole_frames(valid: Bool[Tensor, "clip frame"], stride: int) -> Bool[Tensor, "clip frame2"]:
    """Mark the frames of `stride` time steps each whose steps all hold signal; steps after the last frame are left out.

    >>> whole_frames(torch.tensor([[True, True, True, False, True]]), stride=2)
    tensor([[ True, False]])
    """
    n = valid.shape[1] // stride
    return valid[:, : n * stride].reshape(valid.shape[0], n, stride).all(2)


def padding(
    valid: Bool[Tensor, "clip frame"] | None, features: Shaped[Tensor, "clip band frame"]
) -> tuple[bool, Bool[Tensor, "clip frame"]]:
    """Whether some frames may be padding, and a mask of the frames that hold signal.

    On an accelerator, the first value is True for every mask, since reading the mask would make the CPU wait.

    Args:
        valid: frames that hold signal; all if None.
        features: features with these frames.

    >>> padding(None, torch.zeros(1, 8, 2))
    (False, tensor([[True, True]]))
    """
    if valid is None:
        return False, torch.ones(features.shape[0], features.shape[2], dtype=torch.bool, device=features.device)
    return not (host.on_cpu(valid) and bool(valid.all())), valid
