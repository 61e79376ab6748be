"""BEATs, with the transformer of speechbrain."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.errors import WsedError, near
from wsed.models.base import ENCODERS, EncoderFactory, Frontend
from wsed.models.encoders.pretrained import (
    Pretrained,
    encoded_by_length,
    load_tensors,
    read_entry,
    read_tensors,
    wrong_frontend,
)
from wsed.models.fbank import FBank
from wsed.models.init import to_read
from wsed.spec import StartingWeights
from wsed.types import Encoded

if TYPE_CHECKING:  # an extra
    from speechbrain.lobes.models.beats import BEATsConfig

PUBLISHED: Mapping[str, object] = {
    "deep_norm": True,
    "relative_position_embedding": True,
    "max_distance": 800,
    "gru_rel_pos": True,
    "encoder_layerdrop": 0.0,
}
"""Settings of the published models that differ from speechbrain's; no layer drop, so that all ranks train alike."""

FREE = ("dropout", "predictor", "finetuned", "layerdrop", "layer_wise")
"""Parts of the names of settings that do not change what the network computes in eval mode."""


@ENCODERS.register("beats")
class BEATs(Pretrained):
    """BEATs (Chen et al. 2023): 6.25 frames per second. Needs the extra `beats`.

    A frame is the mean of the tokens of its patches over frequency. Clips of different lengths are computed separately.
    Weights need the frontend `fbank` with BEATs' settings; a published fine-tuned model works too.

    Args:
        n_bands: number of bands of the features, 128 in published models; a multiple of 16.
        config: settings of speechbrain's `BEATsConfig` that differ from the published models (iteration 3).
        pretrained: file of a published model; random weights if None.
        freeze: do not train the weights.

    Raises:
        WsedError: speechbrain is not installed, a setting in `config` is unknown, or the file holds no BEATs model
            or one with another configuration.
    """

    def __init__(
        self,
        n_bands: int,
        config: dict[str, object] | None = None,
        pretrained: StartingWeights = None,
        freeze: bool = False,
    ) -> None:
        super().__init__()
        settings = configuration(config or {})
        self.stride = int(settings.input_patch_size)
        if n_bands % self.stride:
            raise WsedError(
                f"encoder beats: {n_bands} bands are not a multiple of {self.stride}; give `frontend: fbank`"
            )
        if pretrained is not None and n_bands != frontend().n_bands:
            raise wrong_frontend("encoder beats", frontend(), f"{n_bands} bands")
        self.model = Tokens(settings)
        self.dim = int(settings.encoder_embed_dim)
        if (path := to_read(pretrained)) is not None:
            check_configuration(settings, read_entry(path, "cfg"), path)
            load_tensors(self.model, renamed(read_tensors(path)), path)
        self.begin(pretrained, freeze)

    @classmethod
    def example(cls) -> tuple[EncoderFactory, Frontend | None]:
        """A model with two layers of 16 dimensions, and its frontend with 32 bands."""
        sizes: dict[str, object] = {"embed_dim": 8, "encoder_layers": 2, "encoder_embed_dim": 16}
        sizes |= {"encoder_ffn_embed_dim": 16, "encoder_attention_heads": 2, "conv_pos": 8, "conv_pos_groups": 2}
        return partial(cls, config=sizes), FBank(16000, 32, "povey", 32768.0, 15.41663, 6.55582)

    def trained_with(self) -> Frontend | None:
        """The frontend `fbank` with BEATs' settings if there are pretrained weights."""
        return frontend() if self.pretrained else None

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        return encoded_by_length(self, self.model, features, valid)


def frontend() -> FBank:
    """The frontend of the published models.

    >>> frontend().scale
    32768.0
    """
    return FBank(window="povey", scale=32768.0, mean=15.41663, std=6.55582)


class Tokens(nn.Module):
    """Patches of the features, and the transformer; named as in the published files.

    Args:
        settings: the configuration.
    """

    def __init__(self, settings: "BEATsConfig") -> None:
        super().__init__()
        from speechbrain.lobes.models.beats import TransformerEncoder

        patch, dim = settings.input_patch_size, settings.embed_dim
        self.patch_embedding = nn.Conv2d(1, dim, patch, patch, bias=settings.conv_bias)
        self.layer_norm = nn.LayerNorm(dim)
        self.post_extract_proj = nn.Linear(dim, settings.encoder_embed_dim)
        self.encoder = TransformerEncoder(settings)

    def forward(self, features: Float[Tensor, "clip band frame"]) -> Float[Tensor, "clip frame2 dim"]:
        patches = self.patch_embedding(features.transpose(1, 2)[:, None])
        tokens = self.post_extract_proj(self.layer_norm(patches.flatten(2).transpose(1, 2)))
        tokens, _ = self.encoder(tokens)
        frames: Tensor = tokens.unflatten(1, patches.shape[2:]).mean(2)
        return frames


def configuration(values: Mapping[str, object]) -> "BEATsConfig":
    """Speechbrain's configuration of the published models with other values.

    Raises:
        WsedError: speechbrain is not installed, or a name is unknown.
    """
    try:
        from speechbrain.lobes.models.beats import BEATsConfig
    except ImportError:
        raise WsedError("encoder beats needs speechbrain: pip install 'wsed[beats]'") from None
    known = vars(BEATsConfig())
    for name in values:
        if name not in known:
            raise WsedError(f"encoder: beats has no setting {name!r} in its config{near(name, known)}")
    return BEATsConfig({**PUBLISHED, **values})


def check_configuration(settings: "BEATsConfig", saved: object, path: str) -> None:
    """Refuse weights of a model that computes something else.

    Raises:
        WsedError: a setting differs.
    """
    own = vars(settings)
    other = {
        name: value
        for name, value in (saved.items() if isinstance(saved, Mapping) else ())
        if name in own and own[name] != value and not any(word in name for word in FREE)
    }
    if other:
        raise WsedError(f"the weights in {path} are of another configuration; give `config: {other}`")


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights by the names of torch's current weight norm, without those that predict classes.

    >>> import torch
    >>> list(renamed({"pos_conv.0.weight_g": torch.ones(1), "predictor.bias": torch.ones(1)}))
    ['pos_conv.0.parametrizations.weight.original0']
    """
    places = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}
    result = {}
    for name, value in weights.items():
        first, _, last = name.rpartition(".")
        if not name.startswith("predictor."):
            result[f"{first}.{places[last]}" if last in places else name] = value
    return result
