"""The conformer against that of torchaudio, and on short clips."""

import pytest
import torch
import torchaudio

from wsed import WsedError
from wsed.models.encoders.conformer import Conformer, ConformerBlock


def test_a_conformer_block_is_that_of_torchaudio_where_nothing_is_padded():
    torch.manual_seed(0)
    ours = ConformerBlock(8, heads=2, kernel=5, dropout=0.0)
    theirs = torchaudio.models.Conformer(8, 2, 32, 1, 5)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    x = torch.randn(3, 20, 8)
    torch.testing.assert_close(ours(x, None), theirs(x, torch.full((3,), 20))[0])  # and equal batch statistics
    torch.testing.assert_close(ours.eval()(x, None), theirs.eval()(x, torch.full((3,), 20))[0])


def test_a_clip_too_short_for_a_frame_leaves_the_conformer_finite():
    encoder = Conformer(64, dim=8, layers=1, channels=4, pools=[(4, 8), (1, 8)])
    valid = torch.arange(40).expand(2, 40) < torch.tensor([[40], [3]])
    frames = encoder(torch.randn(2, 64, 40), valid).frames
    frames.sum().backward()
    assert torch.isfinite(frames).all()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters())
    with pytest.raises(WsedError, match="kernel 4 must be odd"):
        Conformer(64, kernel=4)
