"""The grid of frames, and which of them hold signal."""

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from wsed.ops import host


def valid_frames(n_samples: Int[Tensor, " clip"], hop: int, n_frames: int) -> Bool[Tensor, "clip frame"]:
    """Which frames of a centred grid hold signal: frame `i` is centred on sample `i * hop` of its clip.

    >>> valid_frames(torch.tensor([512, 1024]), hop=512, n_frames=3).tolist()
    [[True, True, False], [True, True, True]]
    """
    return torch.arange(n_frames, device=n_samples.device) <= torch.div(n_samples, hop, rounding_mode="floor")[:, None]


def padding(
    valid: Bool[Tensor, "clip frame"] | None, features: Shaped[Tensor, "clip band frame"]
) -> tuple[bool, Bool[Tensor, "clip frame"]]:
    """Whether some frames may be padding, and which frames hold signal.

    Args:
        valid: frames that hold signal; None: all.
        features: what the frames are of.

    >>> padding(None, torch.zeros(1, 8, 2))
    (False, tensor([[True, True]]))
    """
    if valid is None:
        return False, torch.ones(len(features), features.shape[2], dtype=torch.bool, device=features.device)
    return not (host.on_cpu(valid) and bool(valid.all())), valid
