"""Frontends, which run on the device of the network: log-mel, standardised features, and the waveform itself."""

import math
from collections.abc import Iterable
from typing import Literal

import torch
import torch.distributed as dist
import torchaudio
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from wsed.errors import WsedError
from wsed.learning import TrainingSet
from wsed.models.base import FRONTENDS, Frontend
from wsed.ops.fourier import power_spectrum
from wsed.ops.grid import valid_frames
from wsed.ops.reduce import world_size
from wsed.types import Batch


@FRONTENDS.register("logmel")
class LogMel(Frontend):
    """Mel spectrogram in decibels, `10 log10(max(mel, 1e-10))` of the power, with centred frames.

    The defaults are those of Pellegrini & Cances 2019: 64 bands from 20 Hz to 11,025 Hz, 431 frames for 10 s.

    Args:
        sample_rate: sample rate of the audio, Hz; the data module resamples to it.
        n_fft: samples of each Fourier transform.
        hop_length: samples from one frame to the next.
        n_bands: number of mel bands.
        f_min: lower edge of the lowest band, Hz.
        f_max: upper edge of the highest band, Hz; half the sample rate if None.
        win_length: samples of the Hann window; `n_fft` if None.
        power: 2: bands are sums of power; 1: bands are sums of magnitude, in decibels `20 log10(max(mel, 1e-5))`.
        scale: shape of the bands: `slaney` (equal area) or `htk` (equal height).
        log_offset: if not None, features are `ln(mel + log_offset)` instead of decibels. With 1e-4 they differ from
            `ln(1 + 10,000 mel)` of Chou, Jang & Yang 2018 by a constant, which standardising removes.

    Raises:
        WsedError: a setting is out of its range.

    >>> frontend = LogMel(8000, n_fft=256, hop_length=80, n_bands=16, f_max=4000.0)
    >>> frontend(torch.randn(1, 8000), torch.tensor([8000]))[0].shape
    torch.Size([1, 16, 101])
    """

    axis = "mel band"

    def __init__(
        self,
        sample_rate: int = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        n_bands: int = 64,
        f_min: float = 20.0,
        f_max: float | None = None,
        win_length: int | None = None,
        power: float = 2.0,
        scale: Literal["slaney", "htk"] = "slaney",
        log_offset: float | None = None,
    ) -> None:
        super().__init__()
        if min(sample_rate, n_fft, hop_length, n_bands) < 1:
            raise WsedError("frontend: sample_rate, n_fft, hop_length and n_bands must be 1 or more")
        if f_max is not None and not f_min < f_max <= sample_rate / 2:
            raise WsedError(f"frontend: f_max {f_max:g} must lie between f_min {f_min:g} and {sample_rate / 2:g} Hz")
        if not 0 <= f_min < sample_rate / 2:
            raise WsedError(f"frontend: f_min must be from 0 to below half the sample rate, not {f_min:g} Hz")
        if win_length is not None and not 1 <= win_length <= n_fft:
            raise WsedError(f"frontend: win_length must be from 1 to n_fft ({n_fft}), not {win_length}")
        if power <= 0 or (log_offset is not None and log_offset <= 0):
            raise WsedError(f"frontend: power ({power:g}) and log_offset ({log_offset}) must be above 0")
        self.sample_rate, self.n_bands, self.hop_length = sample_rate, n_bands, hop_length
        self.power, self.log_offset = power, log_offset
        self.frame_rate = sample_rate / hop_length
        self.decibel = 1.0 if log_offset is None else power * math.log(10) / 20
        self.mel = torchaudio.transforms.MelSpectrogram(
            sample_rate,
            n_fft=n_fft,
            win_length=win_length,
            hop_length=hop_length,
            f_min=f_min,
            f_max=f_max,
            n_mels=n_bands,
            power=power,
            norm="slaney" if scale == "slaney" else None,
            mel_scale=scale,
            center=True,
            pad_mode="constant",  # then padding does not change the frames of a clip
        )
        self.mel.spectrogram.power = None  # returns complex values, for _spectrum

    def forward(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        with torch.autocast(audio.device.type, enabled=False):  # powers span 100 dB: bfloat16 would lose them
            mel = self.mel.mel_scale(self._spectrum(audio.float()))
            if self.log_offset is not None:
                features = (mel + self.log_offset).log()
            else:
                features = 20 / self.power * mel.clamp(min=1e-10 ** (self.power / 2)).log10()
        return features, valid_frames(n_samples, self.hop_length, features.shape[2])

    def _spectrum(self, audio: Float[Tensor, "clip sample"]) -> Float[Tensor, "clip bin frame"]:
        """`|spectrum|^power`; without the square root for 2, in a third of the time of `abs().pow(2)`."""
        if torch.compiler.is_exporting():
            of = self.mel.spectrogram
            before = (of.n_fft - of.win_length) // 2  # a shorter window lies in the middle, as in torch.stft
            window = torch.nn.functional.pad(of.window, (before, of.n_fft - of.win_length - before))
            squares = power_spectrum(audio, window, self.hop_length)
            return squares if self.power == 2 else squares.clamp(min=1e-30).pow(self.power / 2)
        spectrum: Complex[Tensor, "clip bin frame"] = self.mel.spectrogram(audio)
        if self.power == 2:
            return spectrum.real.square() + spectrum.imag.square()
        return spectrum.abs().pow(self.power)


def waa_logmel() -> LogMel:
    """The log-mel features of Turpault et al. 2020 before standardising, at 100 frames per second.

    >>> waa_logmel().frame_rate
    100.0
    """
    return LogMel(16000, 512, 160, 64, 125.0, 7500.0, win_length=400, power=1.0, scale="htk", log_offset=0.01)


@FRONTENDS.register("standardised")
class Standardised(Frontend):
    """Features of another frontend, with mean 0 and standard deviation 1 in each band over the training set.

    Mean and standard deviation are measured once before training, on one epoch of training batches, and saved with
    the weights. Until then the features are not changed.

    Args:
        frontend: the other frontend; `waa_logmel`, as in Turpault et al. 2020, if None.

    >>> from wsed.testing import batch
    >>> frontend, inputs = Standardised(), batch(sample_rate=16000)
    >>> frontend.learned
    False
    >>> frontend.measure([inputs])
    >>> frontend.learned
    True
    >>> raw, valid = frontend.raw(inputs.samples(), inputs.n_samples)
    >>> abs(round(frontend.finish(raw).transpose(1, 2)[valid].mean().item(), 3))
    0.0
    """

    mean: Float[Tensor, " band"]
    std: Float[Tensor, " band"]
    measured: Bool[Tensor, ""]

    def __init__(self, frontend: Frontend | None = None) -> None:
        super().__init__()
        self.frontend = frontend if frontend is not None else waa_logmel()
        self.sample_rate, self.n_bands = self.frontend.sample_rate, self.frontend.n_bands
        self.frame_rate, self.axis = self.frontend.frame_rate, self.frontend.axis
        self.beside = self.frontend.beside
        self.decibel = self.frontend.decibel  # of `raw`, which is not standardised
        self.register_buffer("mean", torch.zeros(self.n_bands))
        self.register_buffer("std", torch.ones(self.n_bands))
        self.register_buffer("measured", torch.tensor(False))

    @property
    def learned(self) -> bool:
        """Whether mean and standard deviation have been measured."""
        return bool(self.measured)

    def learn(self, train: TrainingSet) -> None:
        """Measure mean and standard deviation on one epoch of training batches; every rank must call it."""
        self.measure(train.batches())

    @torch.no_grad()
    def measure(self, batches: Iterable[Batch]) -> None:
        """Measure mean and standard deviation of each band over the valid frames of the batches of all ranks.

        Args:
            batches: batches of the training set, on any device.

        Raises:
            WsedError: there are no valid frames.
        """
        sums = torch.zeros(2 * self.n_bands + 1, dtype=torch.float64, device=self.mean.device)
        for batch in batches:
            features, valid = self.frontend.features(batch.to(sums.device))
            frames = features.transpose(1, 2)[... if valid is None else valid].reshape(-1, self.n_bands).double()
            n_frames = torch.tensor([len(frames)], dtype=torch.float64, device=sums.device)
            sums += torch.cat([frames.sum(0), frames.square().sum(0), n_frames])
        if world_size() > 1:
            dist.all_reduce(sums)
        total, squares, count = sums[: self.n_bands], sums[self.n_bands : -1], sums[-1]
        if not count:
            raise WsedError("frontend standardised: the training set has no frames to measure")
        mean = total / count
        variance = (squares / count - mean.square()).clamp(min=0)
        self.mean.copy_(mean)
        self.std.copy_(torch.where(variance > 1e-10, variance, 1.0).sqrt())  # a silent band stays 0
        self.measured.fill_(True)

    def forward(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        features, valid = self.raw(audio, n_samples)
        return self.finish(features), valid

    def raw(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        """The raw features of the other frontend."""
        return self.frontend.raw(audio, n_samples)

    def valid(self, n_samples: Int[Tensor, " clip"], n_frames: int) -> Bool[Tensor, "clip frame"]:
        """The frames that the other frontend marks as signal."""
        return self.frontend.valid(n_samples, n_frames)

    def finish(self, features: Float[Tensor, "clip band frame"]) -> Float[Tensor, "clip band frame"]:
        """The features of the other frontend, standardised."""
        return (self.frontend.finish(features) - self.mean[:, None]) / self.std[:, None]


@FRONTENDS.register("waveform")
class Waveform(Frontend):
    """The samples as one band, for encoders that read the waveform (`wav2vec2`).

    Args:
        sample_rate: sample rate of the audio, Hz, which is also the frame rate; the data module resamples to it.
        normalise: give each clip mean 0 and variance 1, as most wav2vec 2.0 models expect.

    >>> Waveform()(torch.randn(1, 8), torch.tensor([8]))[0].shape
    torch.Size([1, 1, 8])
    """

    axis = "amplitude"

    def __init__(self, sample_rate: int = 16000, normalise: bool = True) -> None:
        super().__init__()
        if sample_rate < 1:
            raise WsedError(f"frontend: sample_rate must be 1 or more, not {sample_rate}")
        self.sample_rate, self.n_bands, self.frame_rate = sample_rate, 1, float(sample_rate)
        self.normalise = normalise

    def forward(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        valid = self.valid(n_samples, audio.shape[1])
        audio = audio.float()
        if self.normalise:
            n = n_samples.clamp(min=1)[:, None]
            centred = torch.where(valid, audio - torch.where(valid, audio, 0.0).sum(1, keepdim=True) / n, 0.0)
            audio = centred / (centred.square().sum(1, keepdim=True) / n + 1e-7).sqrt()
        return audio[:, None], valid

    def valid(self, n_samples: Int[Tensor, " clip"], n_frames: int) -> Bool[Tensor, "clip frame"]:
        """The samples of each clip."""
        return torch.arange(n_frames, device=n_samples.device) < n_samples[:, None]
