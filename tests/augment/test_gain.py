"""Random loudness."""

import pytest
import torch

from wsed import WsedError, testing
from wsed.augment.gain import Gain


def test_gains_are_within_the_range_one_per_clip():
    of, generator = testing.batch(64), torch.Generator().manual_seed(0)
    louder = Gain(-12.0, 3.0)(of, generator).audio
    ratio = louder.square().sum(1) / of.audio.square().sum(1)
    decibels = 10 * ratio.log10()
    assert -12.01 < decibels.min() < -10
    assert 1 < decibels.max() < 3.01
    assert decibels.std() > 3
    torch.testing.assert_close(louder, of.audio * ratio.sqrt()[:, None])


@pytest.mark.parametrize(("low", "high"), [(3.0, -3.0), (0.0, 0.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_a_range_that_cannot_be_is_refused(low, high):
    with pytest.raises(WsedError, match="low must be below high"):
        Gain(low, high)
