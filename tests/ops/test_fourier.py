"""The transform of two matrix products against torch's."""

import pytest
import torch

from wsed.ops.fourier import power_spectrum


@pytest.mark.parametrize(
    ("size", "hop", "samples"), [(64, 16, 400), (90, 45, 1000), (13, 5, 100), (128, 80, 3), (16, 40, 99)]
)
def test_it_is_the_power_of_stft(size, hop, samples):
    audio, window = torch.randn(2, samples, generator=torch.Generator().manual_seed(0)), torch.hann_window(size)
    spectrum = torch.stft(audio, size, hop, window=window, pad_mode="constant", return_complex=True)
    expected = spectrum.abs().square()
    torch.testing.assert_close(power_spectrum(audio, window, hop), expected, atol=1e-5 * float(expected.max()), rtol=0)
