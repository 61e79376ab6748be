"""Features on the device: log-mel (the only use of torchaudio's transforms), or the waveform as it is."""

import torch
import torchaudio
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import WsedError
from wsed.models.base import FRONTENDS, Frontend
from wsed.ops.grid import valid_frames


@FRONTENDS.register("logmel")
class LogMel(Frontend):
    """Power mel spectrogram in decibels: `10 log10(max(mel, 1e-10))`, Slaney mel bands, centred frames.

    The defaults are those of Pellegrini & Cances 2019: 64 bands from 20 Hz to 11,025 Hz, 431 frames for 10 s.

    Args:
        sample_rate: of the audio, Hz; the data module resamples to it.
        n_fft: samples of a Fourier transform.
        hop_length: samples from frame to frame.
        n_bands: mel bands.
        f_min: lower edge, Hz.
        f_max: upper edge, Hz; half the sample rate if None.
        win_length: samples of the Hann window; `n_fft` if None.
    """

    def __init__(
        self,
        sample_rate: int = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        n_bands: int = 64,
        f_min: float = 20.0,
        f_max: float | None = None,
        win_length: int | None = None,
    ) -> None:
        super().__init__()
        if f_max is not None and not f_min < f_max <= sample_rate / 2:
            raise WsedError(f"frontend: f_max {f_max:g} must lie between f_min {f_min:g} and {sample_rate / 2:g} Hz")
        if min(sample_rate, n_fft, hop_length, n_bands) < 1:
            raise WsedError("frontend: sample_rate, n_fft, hop_length and n_bands must be 1 or more")
        self.sample_rate, self.n_bands, self.hop_length = sample_rate, n_bands, hop_length
        self.frame_rate = sample_rate / hop_length
        self.mel = torchaudio.transforms.MelSpectrogram(
            sample_rate,
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            f_min=f_min,
            f_max=f_max,
            n_mels=n_bands,
            power=2.0,
            norm="slaney",
            mel_scale="slaney",
            center=True,
            pad_mode="constant",  # a padded clip then looks as it does alone
        )

    def forward(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        with torch.autocast(audio.device.type, enabled=False):  # powers span 100 dB: bfloat16 would lose them
            features = 10 * self.mel(audio.float()).clamp(min=1e-10).log10()
        return features, valid_frames(n_samples, self.hop_length, features.shape[2])


@FRONTENDS.register("waveform")
class Waveform(Frontend):
    """The samples themselves as one band, for encoders that read the waveform (`wav2vec2`).

    Args:
        sample_rate: of the audio, Hz, and of the frames; the data module resamples to it.
        normalise: give each clip mean 0 and variance 1, as wav2vec 2.0 is mostly trained.
    """

    def __init__(self, sample_rate: int = 16000, normalise: bool = True) -> None:
        super().__init__()
        if sample_rate < 1:
            raise WsedError(f"frontend: sample_rate must be 1 or more, not {sample_rate}")
        self.sample_rate, self.n_bands, self.frame_rate = sample_rate, 1, float(sample_rate)
        self.normalise = normalise

    def forward(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        valid = torch.arange(audio.shape[1], device=audio.device) < n_samples[:, None]
        audio = audio.float()
        if self.normalise:
            n = n_samples.clamp(min=1)[:, None]
            centred = torch.where(valid, audio - torch.where(valid, audio, 0.0).sum(1, keepdim=True) / n, 0.0)
            audio = centred / (centred.square().sum(1, keepdim=True) / n + 1e-7).sqrt()
        return audio[:, None], valid
