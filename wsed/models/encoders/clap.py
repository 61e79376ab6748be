"""The audio encoder of CLAP, from the package transformers."""

from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, EncoderFactory, Frontend
from wsed.models.encoders.pieces import pieces
from wsed.models.encoders.pretrained import Pretrained
from wsed.models.encoders.transformers_models import configuration, feature_extractor, model_of
from wsed.models.frontends import LogMel
from wsed.models.init import to_read
from wsed.ops.grid import padding, whole_frames
from wsed.spec import StartingWeights
from wsed.types import Encoded

SILENCE = -100.0
"""The features of digital silence, dB."""


@ENCODERS.register("clap")
class CLAP(Pretrained):
    """The audio encoder of LAION's CLAP (Wu et al. 2023): 3.125 frames per second. Needs the extra `speech`.

    A frame is the mean over frequency of the last layer's output. Clips are computed in pieces of 10.24 s, the last one
    filled with silence. (In the pretraining, clips of 10 s were stretched to 10.24 s, and shorter ones repeated.)
    Models with `enable_fusion` treat each piece as a clip that is not too long. Weights need the frontend `logmel` with
    the settings of the folder's feature extractor.

    Args:
        n_bands: number of bands of the features.
        config: settings of the configuration of the audio part in transformers that differ from its defaults.
        pretrained: folder with weights of the whole model, as written by `save_pretrained`; nothing is downloaded.
            Random weights if None.
        freeze: do not train the weights.

    Raises:
        WsedError: transformers is not installed, a setting in `config` is unknown, the numbers of bands differ, or
            the folder has no weights or weights of another configuration.
    """

    silence: Float[Tensor, " one"]

    def __init__(
        self,
        n_bands: int,
        config: dict[str, object] | None = None,
        pretrained: StartingWeights = None,
        freeze: bool = False,
    ) -> None:
        super().__init__()
        settings = configuration("clap_audio_model", config or {}, "clap")
        if settings.num_mel_bins != n_bands:
            raise WsedError(
                f"encoder clap has {settings.num_mel_bins} bands in its config, the frontend has {n_bands}; set "
                f"n_bands of the frontend to {settings.num_mel_bins}"
            )
        folder = to_read(pretrained)
        self.model = model_of(settings, folder)
        if settings.enable_fusion:  # these weights are only for clips that are too long
            for name in ("fusion_model", "mel_conv2d"):
                self.model.get_submodule(f"audio_encoder.patch_embed.{name}").requires_grad_(requires_grad=False)
        layers = len(settings.depths) - 1
        self.dim = int(settings.patch_embeds_hidden_size) * 2**layers
        self.stride = int(settings.patch_stride[1]) * 2**layers
        self.length = int(settings.spec_size) * (int(settings.spec_size) // n_bands)
        self.wanted = None if folder is None else trained_frontend(folder, n_bands, settings.enable_fusion)
        self.register_buffer("silence", torch.tensor([SILENCE]), persistent=False)
        self.begin(pretrained, freeze)

    @classmethod
    def example(cls) -> tuple[EncoderFactory, Frontend | None]:
        """A model with two layers for pieces of 1.28 s, and its frontend."""
        sizes: dict[str, object] = {"spec_size": 32, "num_mel_bins": 8, "window_size": 2, "depths": [1, 1]}
        sizes |= {"patch_embeds_hidden_size": 8, "hidden_size": 16, "num_attention_heads": [2, 2]}
        return partial(cls, config=sizes), LogMel(8000, 256, 80, 8, 50.0)

    def trained_with(self) -> Frontend | None:
        """The frontend `logmel` with the settings of the feature extractor, if there are pretrained weights."""
        return None if self.wanted is None else self.wanted()

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        padded, valid = padding(valid, features)
        if padded:
            features = torch.where(valid[:, None], features, self.silence.to(features.dtype))
        parts = pieces(features, self.length, self.length, self.silence).transpose(1, 2)[:, None]
        longer = torch.zeros(parts.shape[0], 1, dtype=torch.bool, device=parts.device)
        frames: Tensor = self.model(parts, is_longer=longer).last_hidden_state.mean(2).transpose(1, 2)
        frames = frames.reshape(features.shape[0], -1, self.dim)[:, : features.shape[2] // self.stride]
        return Encoded(frames, whole_frames(valid, self.stride))


def trained_frontend(folder: str, n_bands: int, fusion: bool) -> partial[LogMel]:
    """Builds the frontend that the weights of a folder were trained with.

    If the folder does not describe it, it is that of the published models.
    """
    facts = feature_extractor(folder, feature_size=n_bands) or {}
    return partial(
        LogMel,
        sample_rate=int(facts.get("sampling_rate", 48000)),
        n_fft=int(facts.get("fft_window_size", 1024)),
        hop_length=int(facts.get("hop_length", 480)),
        n_bands=n_bands,
        f_min=float(facts.get("frequency_min", 50.0)),
        f_max=float(facts.get("frequency_max", 14000.0)),
        scale="htk" if facts.get("truncation", "fusion" if fusion else "rand_trunc") == "fusion" else "slaney",
    )
