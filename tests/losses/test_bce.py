"""Cross-entropy of clips and frames."""

import torch

from wsed.losses import functional as F
from wsed.losses.bce import bce


def test_bce_clips_like_keras(golden):
    values = golden("cosine_loss")["bce_keras_clip"]
    y, p = (torch.tensor(values[k], dtype=torch.float64) for k in ("y", "p"))
    torch.testing.assert_close(bce(y, p), torch.tensor(values["value"], dtype=torch.float64), atol=1e-9, rtol=0)


def test_frame_bce_is_the_mean_over_known_frames():
    p, y = torch.rand(2, 5, 3), (torch.rand(2, 5, 3) > 0.5).float()
    timed, valid = torch.tensor([[True] * 3, [False] * 3]), torch.arange(5).expand(2, 5) < 4
    expected = torch.nn.functional.binary_cross_entropy(p[:1, :4], y[:1, :4])
    torch.testing.assert_close(F.frame_bce(p, y, valid, timed), expected)
