"""The filter bank of Kaldi against torchaudio's."""

import pytest
import torch
from torchaudio.compliance import kaldi

from wsed import WsedError
from wsed.models.fbank import FBank

BEATS = {"window": "povey", "scale": 32768.0, "mean": 15.41663, "std": 6.55582}


@pytest.mark.parametrize("settings", [{}, BEATS])
def test_whole_windows_are_those_of_kaldi(settings):
    audio = 0.1 * torch.randn(2, 16000)
    frontend = FBank(**settings)
    features, valid = frontend(audio, torch.tensor([16000, 16000]))
    assert features.shape == (2, 128, 100)
    assert valid.all()
    for clip, found in zip(audio, features, strict=True):
        theirs = kaldi.fbank(
            clip[None] * frontend.scale, num_mel_bins=128, window_type=settings.get("window", "hanning")
        )
        expected = (theirs - frontend.mean) / (2 * frontend.std)
        torch.testing.assert_close(found[:, : len(expected)].T, expected, atol=1e-3, rtol=1e-3)


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(WsedError, match="must be above 0"):
        FBank(std=0.0)
    with pytest.raises(WsedError, match="did you mean povey"):
        FBank(window="povy")
    assert FBank()(torch.zeros(1, 100), torch.tensor([100]))[0].shape == (1, 128, 0)
