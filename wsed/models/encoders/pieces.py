"""Clips as pieces of one length, for encoders that were trained on clips of one length."""

import torch
from jaxtyping import Float
from torch import Tensor


def pieces(
    features: Float[Tensor, "clip band frame"], length: int, step: int, filling: Float[Tensor, "#clip"]
) -> Float[Tensor, "piece band length"]:
    """Pieces of the features, those of the first clip first; the last piece of a clip is filled up.

    Args:
        features: the features.
        length: frames of a piece.
        step: frames from one piece of a clip to the next.
        filling: the value after the end of each clip, or one for all.

    >>> pieces(torch.tensor([[[1.0, 2, 3]]]), length=2, step=2, filling=torch.tensor([0.0]))[:, 0].tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    """
    clips, bands, n_frames = features.shape
    n_pieces = max(1, -(-n_frames // step))
    beyond = (n_pieces - 1) * step + length - n_frames
    room = filling.to(features.dtype)[:, None, None].expand(clips, bands, max(beyond, 0))
    filled = torch.cat([features, room], 2)
    return filled.unfold(2, length, step)[:, :, :n_pieces].transpose(1, 2).flatten(0, 1)
