"""The head of Dinkel et al. 2021: scores of coarse frames, interpolated before they are pooled."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsed.errors import WsedError
from wsed.models.base import HEADS, Head
from wsed.ops.pooling import EPS, linear_softmax
from wsed.types import Encoded, Output


@HEADS.register("cdur")
class CDurHead(Head):
    """A linear layer per frame; clip scores by linear softmax over interpolated frame scores (Dinkel, Wu & Yu 2021).

    Only for the clip scores are frame scores interpolated, to `upsample` times the frame rate.

    Args:
        dim: dimension of the frame embeddings.
        n_labels: number of classes.
        upsample: factor of the frame rate; 4 gives 50 frames per second with the encoder `cdur`.

    Raises:
        WsedError: `upsample` is less than 1.

    >>> valid = torch.ones(2, 5, dtype=torch.bool)
    >>> CDurHead(dim=4, n_labels=3)(Encoded(torch.randn(2, 5, 4), valid)).frame_logits.shape
    torch.Size([2, 5, 3])
    """

    provides = frozenset({"frame_logits", "clip_logits", "embeddings", "valid"})

    def __init__(self, dim: int, n_labels: int, upsample: int = 4) -> None:
        super().__init__()
        if upsample < 1:
            raise WsedError(f"head cdur: upsample must be 1 or more, not {upsample}")
        self.upsample = upsample
        self.linear = nn.Linear(dim, n_labels)

    def forward(self, encoded: Encoded) -> Output:
        frame_logits = self.linear(encoded.frames)
        fine, valid = interpolated(frame_logits.float().sigmoid().clamp(min=EPS), encoded.valid, self.upsample)
        return Output(
            frame_logits=frame_logits,
            clip_logits=torch.logit(linear_softmax(fine, valid), eps=EPS),
            embeddings=encoded.frames,
            valid=encoded.valid,
        )


def interpolated(
    scores: Float[Tensor, "clip frame label"], valid: Bool[Tensor, "clip frame"], times: int
) -> tuple[Float[Tensor, "clip fine label"], Bool[Tensor, "clip fine"]]:
    """Frame scores at a higher frame rate by linear interpolation; after the last valid frame its score is repeated.

    Args:
        scores: scores of frames.
        valid: frames that hold signal, which come first in each clip.
        times: factor of the frame rate.

    >>> interpolated(torch.tensor([[[0.0], [1.0]]]), torch.tensor([[True, True]]), 2)[0].flatten()
    tensor([0.0000, 0.2500, 0.7500, 1.0000])
    """
    last = (valid.sum(1, keepdim=True) - 1).clamp(min=0)
    frame = torch.minimum(torch.arange(valid.shape[1], device=valid.device), last)
    held = scores.gather(1, frame[..., None].expand_as(scores))
    fine = F.interpolate(held.transpose(1, 2), scale_factor=times, mode="linear", align_corners=False)
    return fine.transpose(1, 2), valid.repeat_interleave(times, dim=1)
