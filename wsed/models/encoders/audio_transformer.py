"""The audio spectrogram transformer, from the package transformers."""

from functools import partial
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, EncoderFactory, Frontend
from wsed.models.encoders.pieces import pieces
from wsed.models.encoders.pretrained import Pretrained
from wsed.models.encoders.transformers_models import AST as ARCHITECTURE
from wsed.models.encoders.transformers_models import configuration, feature_extractor, model_of
from wsed.models.fbank import AST_MEAN, AST_STD, FBank
from wsed.models.init import to_read
from wsed.ops.grid import padding, whole_frames
from wsed.spec import StartingWeights
from wsed.types import Encoded


@ENCODERS.register("ast")
class AST(Pretrained):
    """The audio spectrogram transformer (Gong, Chung & Glass 2021): 10 frames per second. Needs the extra `speech`.

    A frame is the mean of the tokens of its patches over frequency. Clips are computed in pieces as long as the
    clips of the pretraining (10.24 s). The last piece is padded with zeros before normalising, as in the pretraining,
    so a shorter clip takes as long as a whole piece. Weights need the frontend `fbank`.

    Args:
        n_bands: number of bands of the features, 128 in published models.
        config: settings of the configuration in transformers that differ from its defaults (the base model).
        pretrained: folder with weights, as written by `save_pretrained`; nothing is downloaded. Random weights if None.
        freeze: do not train the weights.

    Raises:
        WsedError: transformers is not installed, a setting in `config` is unknown, the numbers of bands differ, or
            the folder has no weights or weights of another configuration.
    """

    filling: Float[Tensor, ""]

    def __init__(
        self,
        n_bands: int,
        config: dict[str, object] | None = None,
        pretrained: StartingWeights = None,
        freeze: bool = False,
    ) -> None:
        super().__init__()
        settings = configuration(ARCHITECTURE, config or {}, "ast")
        if settings.num_mel_bins != n_bands:
            raise WsedError(
                f"encoder ast has {settings.num_mel_bins} bands in its config, the frontend has {n_bands}; give "
                f"`frontend: {{class_path: fbank, init_args: {{n_bands: {settings.num_mel_bins}}}}}`"
            )
        folder = to_read(pretrained)
        self.model = model_of(settings, folder)
        self.dim, self.stride = int(settings.hidden_size), int(settings.time_stride)
        self.length = int(settings.max_length)
        patch = settings.patch_size
        self.tokens = (self.length - patch) // self.stride + 1
        self.wanted = None if folder is None else trained_frontend(Path(folder))
        of_features = self.wanted or (AST_MEAN, AST_STD)
        self.register_buffer("filling", torch.tensor(-of_features[0] / (2 * of_features[1])))
        self.n_bands = n_bands
        self.begin(pretrained, freeze)

    @classmethod
    def example(cls) -> tuple[EncoderFactory, Frontend | None]:
        """A model with two layers of 16 dimensions for pieces of 0.64 s, and its frontend."""
        sizes: dict[str, object] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
        sizes |= {"intermediate_size": 16, "max_length": 64, "num_mel_bins": 32}
        return partial(cls, config=sizes), FBank(n_bands=32)

    def trained_with(self) -> Frontend | None:
        """The frontend `fbank` with mean and standard deviation of the folder, if there are pretrained weights."""
        return None if self.wanted is None else FBank(16000, self.n_bands, mean=self.wanted[0], std=self.wanted[1])

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        padded, valid = padding(valid, features)
        if padded:
            features = torch.where(valid[:, None], features, self.filling.to(features.dtype))
        clips, n = features.shape[0], features.shape[2] // self.stride
        parts = pieces(features, self.length, self.tokens * self.stride, self.filling[None])
        tokens = self.model(parts.transpose(1, 2)).last_hidden_state[:, 2:]
        frames = tokens.unflatten(1, (-1, self.tokens)).mean(1).reshape(clips, -1, self.dim)[:, :n]
        return Encoded(frames, whole_frames(valid, self.stride))


def trained_frontend(folder: Path) -> tuple[float, float]:
    """Mean and standard deviation of the features that the weights of a folder were trained on.

    If the folder does not say, they are those of AudioSet.
    """
    facts = feature_extractor(folder, sampling_rate=16000) or {}
    return float(facts.get("mean", AST_MEAN)), float(facts.get("std", AST_STD))
