"""The head of attended parts."""

import lightning.pytorch  # noqa: F401  here: its log handler keeps the stderr it finds, which must not be a test's own
import torch

from wsed.models.heads.parts import Parts
from wsed.types import Encoded


def encoded(n_clips=3, n_frames=9, dim=6):
    """Frames of clips of which the last is shorter."""
    valid = torch.ones(n_clips, n_frames, dtype=torch.bool)
    valid[-1, 5:] = False
    return Encoded(torch.randn(n_clips, n_frames, dim), valid)


def test_parts_are_their_attended_means():
    torch.manual_seed(0)
    head, given = Parts(6, 3, parts=2, hidden=5).eval(), encoded()
    for i, n in enumerate((9, 9, 5)):
        x = given.frames[i, :n]
        attended = [(head.att(x)[:, p].softmax(0)[:, None] * x).sum(0) for p in (0, 1)]
        expected = head.linear(head.dense(torch.cat([x.mean(0), *attended])[None]))[0]
        torch.testing.assert_close(head(given).clip_logits[i], expected)
