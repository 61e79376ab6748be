"""The filter bank of Kaldi, the features of most audio transformers."""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F
from torchaudio.compliance.kaldi import get_mel_banks

from wsed.errors import WsedError
from wsed.models.base import FRONTENDS, Frontend

AST_MEAN, AST_STD = -4.2677393, 4.5689974
"""Mean and standard deviation on AudioSet, as the authors of AST measured them."""


@FRONTENDS.register("fbank")
class FBank(Frontend):
    """The log-mel energies of Kaldi, `(ln(mel) - mean) / (2 std)`: windows of 25 ms every 10 ms, not centred.

    Each window has its mean removed and gets a pre-emphasis of 0.97. The defaults are those of AST (Gong et
    al. 2021) for AudioSet; BEATs (Chen et al. 2023) uses `window: povey`, `scale: 32768`, `mean: 15.41663` and
    `std: 6.55582`. Kaldi drops incomplete windows at the end; here they are padded with zeros.

    Args:
        sample_rate: sample rate of the audio, Hz.
        n_bands: number of mel bands, from 20 Hz to half the sample rate.
        window: `hanning` or `povey`, which is Hann to the power of 0.85.
        scale: factor of the samples, which are within [-1, 1].
        mean: mean of the features on the data of a pretrained encoder.
        std: their standard deviation.

    Raises:
        WsedError: `sample_rate`, `n_bands`, `scale` or `std` is not above 0.

    >>> FBank()(torch.randn(1, 16000), torch.tensor([16000]))[0].shape
    torch.Size([1, 128, 100])
    """

    axis = "mel band"
    taper: Float[Tensor, " sample"]
    banks: Float[Tensor, "bin band"]

    def __init__(
        self,
        sample_rate: int = 16000,
        n_bands: int = 128,
        window: Literal["hanning", "povey"] = "hanning",
        scale: float = 1.0,
        mean: float = AST_MEAN,
        std: float = AST_STD,
    ) -> None:
        super().__init__()
        if min(sample_rate, n_bands, scale, std) <= 0:
            raise WsedError("frontend fbank: sample_rate, n_bands, scale and std must be above 0")
        self.sample_rate, self.n_bands = sample_rate, n_bands
        self.size, self.hop = round(0.025 * sample_rate), round(0.01 * sample_rate)
        self.frame_rate = sample_rate / self.hop
        self.scale, self.mean, self.std = scale, mean, std
        self.decibel = math.log(10) / 10 / (2 * std)
        self.n_fft = 2 ** math.ceil(math.log2(self.size))
        taper = torch.hann_window(self.size, periodic=False).pow(0.85 if window == "povey" else 1.0)
        banks, _ = get_mel_banks(n_bands, self.n_fft, float(sample_rate), 20.0, 0.0, 100.0, -500.0, 1.0)
        self.register_buffer("taper", taper, persistent=False)
        self.register_buffer("banks", F.pad(banks, (0, 1)).T.contiguous(), persistent=False)

    def forward(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        n_frames = audio.shape[1] // self.hop
        with torch.autocast(audio.device.type, enabled=False):
            x = F.pad(audio.float() * self.scale, (0, self.size)).unfold(1, self.size, self.hop)
            x = x - x.mean(2, keepdim=True)
            x = (x - 0.97 * torch.cat([x[..., :1], x[..., :-1]], 2)) * self.taper
            power = torch.fft.rfft(x, self.n_fft).abs().square()
            mel = (power @ self.banks).clamp(min=torch.finfo(torch.float32).eps)
            features = (mel.log()[:, :n_frames] - self.mean) / (2 * self.std)
        return features.transpose(1, 2), self.valid(n_samples, n_frames)

    def valid(self, n_samples: Int[Tensor, " clip"], n_frames: int) -> Bool[Tensor, "clip frame"]:
        """Frames whose whole hop is in the clip."""
        return torch.arange(n_frames, device=n_samples.device) < (n_samples // self.hop)[:, None]
