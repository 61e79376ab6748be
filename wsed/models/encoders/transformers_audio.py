"""Any model of transformers that turns sound into frames, with its own feature extractor."""

from collections.abc import Mapping
from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, EncoderFactory, Frontend
from wsed.models.encoders.pretrained import Pretrained, encoded_by_length
from wsed.models.encoders.transformers_grid import LONGEST, Grid, measured
from wsed.models.encoders.transformers_inputs import check_extractor, extractor_of, inputs_of
from wsed.models.encoders.transformers_models import (
    ENCODER_OF,
    configuration,
    encoder_for,
    model_of_part,
    reads_waveform,
)
from wsed.models.encoders.transformers_parts import part_of
from wsed.models.frontends import Waveform
from wsed.models.init import to_read
from wsed.spec import StartingWeights
from wsed.types import Encoded


@ENCODERS.register("transformers")
class TransformersAudio(Pretrained):
    """Any other model of transformers that turns sound into frames. Needs the extra `speech`.

    The features are those of the model's own feature extractor in transformers, which runs on the CPU, clip by clip.
    That is slow: compute a frozen encoder once, with the frontend `embeddings` and the reader `features`. Of a model
    with a decoder or a language model, only the part for sound is built. Its frames per second are found by trying
    clips of about 20 lengths, most of them of 1 s.

    Clips of different lengths are computed separately, so that padding never matters. If the extractor fills all clips
    to one length, longer ones are computed in pieces of it. If a model has fewer frames than a clip has room for, since
    its convolutions have no margin, the first and the last frame are repeated. Clips too short for the model are filled
    with silence.

    Args:
        n_bands: 1, the samples.
        architecture: name of the model in transformers: `model_type` in `config.json` of its folder.
        config: settings of the configuration in transformers that differ from its defaults; those of decoders and
            language models do not matter. Masking and layer drop in training are off by default.
        extractor: settings of the feature extractor that differ from its defaults. `feature_extractor_type` names
            another class than that which transformers names for the architecture.
        pretrained: folder with weights, as written by `save_pretrained`; nothing is downloaded. Random weights if None.
        freeze: do not train the weights; the encoder then stays in eval mode.

    Raises:
        WsedError: transformers is not installed, the frontend is not `waveform`, a setting is unknown, the architecture
            has an encoder of its own in wsed or gives no frames for sound, or the folder has other weights or settings.

    >>> sizes = {"hidden_size": 8, "encoder_num_attention_heads": 2, "encoder_num_hidden_layers": 1}
    >>> encoder = TransformersAudio(1, "moonshine", sizes)
    >>> encoder.stride, encoder(torch.randn(2, 1, 16000), None).frames.shape
    (384, torch.Size([2, 41, 8]))
    """

    def __init__(
        self,
        n_bands: int,
        architecture: str,
        config: dict[str, object] | None = None,
        extractor: dict[str, object] | None = None,
        pretrained: StartingWeights = None,
        freeze: bool = False,
    ) -> None:
        super().__init__()
        if n_bands != 1:
            raise WsedError(f"encoder transformers takes the waveform, not {n_bands} bands; give `frontend: waveform`")
        settings = configuration(architecture, config or {}, "transformers")
        if architecture in ENCODER_OF or reads_waveform(settings):
            advice = encoder_for(architecture)
            raise WsedError(f"encoder transformers: {architecture} has an encoder of its own: {advice}")
        self.architecture, self.extractor = architecture, extractor_of(settings, extractor or {})
        try:
            part = part_of(settings)
        except WsedError as error:
            raise WsedError(f"encoder transformers: {error}") from None
        folder = to_read(pretrained)
        self.model = model_of_part(settings, part, folder)
        if folder is not None:
            check_extractor(settings, self.extractor, folder)
        self.rate = int(vars(self.extractor)["sampling_rate"])
        self.grid, self.dim = self._measured()
        self.stride = self.grid.stride
        self.begin(pretrained, freeze)

    @classmethod
    def example(cls) -> tuple[EncoderFactory, Frontend | None]:
        """A model with two layers of 16 dimensions, 50 frames per second at 1 kHz, and the frontend `waveform`."""
        sizes: dict[str, object] = {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2}
        sizes |= {"encoder_ffn_dim": 16, "conv_channels": 8, "num_conv_layers": 1, "conv_kernel_sizes": [5]}
        sizes |= {"input_feat_per_channel": 4}
        features: dict[str, object] = {"sampling_rate": 1000, "num_mel_bins": 4, "feature_size": 4}
        return partial(cls, architecture="speech_to_text", config=sizes, extractor=features), cls._frontend(1000)

    @staticmethod
    def _frontend(rate: int) -> Waveform:
        return Waveform(rate, normalise=False)

    def trained_with(self) -> Frontend | None:
        """The waveform as it is, at the sample rate of the feature extractor."""
        return self._frontend(self.rate)

    def forward(self, features: Float[Tensor, "clip 1 sample"], valid: Bool[Tensor, "clip sample"] | None) -> Encoded:
        return encoded_by_length(self, self._frames, features, valid)

    def _frames(self, features: Float[Tensor, "clip 1 sample"]) -> Float[Tensor, "clip frame dim"]:
        """The frames of clips of one length, one per `stride` samples."""
        pieces = torch.split(features[:, 0], self.grid.most or max(1, features.shape[2]), dim=1)
        return torch.cat([self._piece(piece) for piece in pieces], dim=1)

    def _piece(self, audio: Float[Tensor, "clip sample"]) -> Float[Tensor, "clip frame dim"]:
        n_frames = audio.shape[1] // self.stride
        frames = self._given(F.pad(audio, (0, max(0, self.grid.least - audio.shape[1]))))
        frames = torch.cat([frames[:, :1].expand(-1, self.grid.missing, -1), frames], dim=1)[:, :n_frames]
        beyond = n_frames - frames.shape[1]
        if beyond > self.grid.missing + 2:  # more than convolutions leave out
            seconds = [samples / self.rate for samples in (frames.shape[1] * self.stride, audio.shape[1])]
            raise WsedError(
                f"encoder transformers: {self.architecture} gives frames for {seconds[0]:.1f} s of a clip of "
                f"{seconds[1]:.1f} s; give shorter clips: set `duration` of the data"
            )
        return torch.cat([frames, frames[:, -1:].expand(-1, beyond, -1)], dim=1)

    def _given(self, audio: Float[Tensor, "clip sample"]) -> Float[Tensor, "clip frame dim"]:
        """What the model gives for clips of one length."""
        given = self.model(**inputs_of(self.extractor, self.model.forward, audio))
        frames = given.get("last_hidden_state") if isinstance(given, Mapping) else None
        if not isinstance(frames, Tensor) or frames.dim() != 3 or len(frames) != len(audio):
            names = ", ".join(given) if isinstance(given, Mapping) else type(given).__name__
            found = list(frames.shape) if isinstance(frames, Tensor) else names
            raise WsedError(
                f"encoder transformers: {self.architecture} gives no frames, last_hidden_state [clip frame dim], but "
                f"{found} for {len(audio)} x {audio.shape[1] / self.rate:g} s of sound"
            )
        return frames

    def _count(self, audio: Float[Tensor, "clip sample"]) -> int:
        """The number of frames that the model gives; 0 if it cannot take such a clip."""
        try:
            frames = self._given(audio)
        except Exception:  # too short for a convolution or a Fourier transform: errors of many kinds
            return 0
        return frames.shape[1] if bool(torch.isfinite(frames).all()) else 0

    def _measured(self) -> tuple[Grid, int]:
        """Where the frames lie, and their dimension. Weights on which they do not depend are not trained."""
        self.eval()
        noise = 0.1 * torch.randn(1, (LONGEST + 2) * self.rate, generator=torch.Generator().manual_seed(0))
        try:
            with torch.enable_grad():
                frames = self._given(noise[:, : self.rate])
        except WsedError:
            raise
        except Exception as error:  # the model and the extractor do not fit, or it needs more than sound
            raise WsedError(
                f"encoder transformers: {self.architecture} with {type(self.extractor).__name__} cannot take 1 s of "
                f"sound; make `config` and `extractor` fit: {type(error).__name__}: {str(error).strip()[:300]}"
            ) from None
        used = weights_of(frames)
        for weights in self.model.parameters():
            weights.requires_grad_(weights.requires_grad and weights in used)
        try:
            with torch.no_grad():
                grid = measured(lambda n: self._count(noise[:, :n]), self.rate, vars(self.extractor).get("n_samples"))
        except WsedError as error:
            raise WsedError(f"encoder transformers cannot take {self.architecture}: {error}") from None
        self.train()
        return grid, frames.shape[2]


def weights_of(result: Tensor) -> set[Tensor]:
    """The leaves of the graph of a result: what gets a gradient from it.

    >>> layer = torch.nn.Linear(2, 1)
    >>> weights_of(layer(torch.ones(1, 2))) == {layer.weight, layer.bias}
    True
    """
    leaves, seen, rest = set(), set(), [result.grad_fn]
    while rest:
        node = rest.pop()
        if node is not None and node not in seen:
            seen.add(node)
            rest.extend(before for before, _ in node.next_functions)
            if type(node).__name__ == "AccumulateGrad":
                leaves.add(node.variable)  # type: ignore[attr-defined]
    return leaves
