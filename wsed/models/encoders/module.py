"""Any module of torch as an encoder."""

from collections.abc import Callable
from functools import partial
from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, EncoderFactory, Frontend
from wsed.models.encoders.pretrained import Pretrained, encoded_by_length, load_tensors, read_tensors
from wsed.models.init import to_read
from wsed.spec import StartingWeights
from wsed.types import Encoded

ModuleFactory = Callable[[], nn.Module]


@ENCODERS.register("module")
class ModuleEncoder(Pretrained):
    """Any `torch.nn.Module` as an encoder, named by its import path in YAML.

    The module takes features and returns one embedding per `stride` time steps. Clips of different lengths are computed
    separately, one length at a time, so that padding never matters. A checkpoint does not import what it names: load it
    with `wsed.load(PATH, network=...)`.

    Args:
        n_bands: number of bands of the features.
        module: builds the module; in YAML `{class_path: my_package.MyNet, init_args: {...}}`.
        dim: number of values of an embedding.
        stride: time steps of the features per frame.
        takes: features as `[clip band frame]` (bands_first), `[clip frame band]` (frames_first), or
            `[clip sample]` of the frontend `waveform` (samples).
        gives: embeddings as `[clip frame dim]` (frames_first) or `[clip dim frame]` (dims_first).
        pretrained: file with the module's state_dict; if None, the weights are as the module's constructor leaves them.
        freeze: do not train the weights.
        trained_frontend: the frontend that the weights were trained with; another one is then refused. None: any.

    Raises:
        WsedError: the file does not fit; in `forward`: the module returns something else than `dim` and `stride` say.

    >>> import torch
    >>> convolution = partial(nn.Conv1d, in_channels=64, out_channels=8, kernel_size=4, stride=4)
    >>> encoder = ModuleEncoder(64, convolution, dim=8, stride=4, gives="dims_first")
    >>> encoder(torch.randn(2, 64, 20), None).frames.shape
    torch.Size([2, 5, 8])
    """

    def __init__(
        self,
        n_bands: int,
        module: ModuleFactory,
        dim: int,
        stride: int = 1,
        takes: Literal["bands_first", "frames_first", "samples"] = "bands_first",
        gives: Literal["frames_first", "dims_first"] = "frames_first",
        pretrained: StartingWeights = None,
        freeze: bool = False,
        trained_frontend: Frontend | None = None,
    ) -> None:
        super().__init__()
        if stride < 1 or dim < 1:
            raise WsedError(f"encoder module: dim ({dim}) and stride ({stride}) must be 1 or more")
        if takes == "samples" and n_bands != 1:
            raise WsedError(f"encoder module takes samples, not {n_bands} bands; give `frontend: waveform`")
        self.module = module()
        self.dim, self.stride, self.takes, self.gives = dim, stride, takes, gives
        self._trained_with = (
            None if trained_frontend is None else [trained_frontend]
        )  # in a list: it is no part of this
        if (path := to_read(pretrained)) is not None:
            load_tensors(self.module, read_tensors(path), path)
        self.pretrained = True  # without a file, the module's constructor may have loaded some
        if freeze:
            self.freeze()

    @classmethod
    def example(cls) -> tuple[EncoderFactory, Frontend | None]:
        """A convolution."""
        convolution = partial(nn.Conv1d, in_channels=64, out_channels=8, kernel_size=4, stride=4)
        return partial(cls, module=convolution, dim=8, stride=4, gives="dims_first"), None

    def trained_with(self) -> Frontend | None:
        """The frontend that the settings name."""
        return None if self._trained_with is None else self._trained_with[0]

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        return encoded_by_length(self, self._frames, features, valid)

    def _frames(self, features: Tensor) -> Tensor:
        """The embeddings of clips of one length, `[clip frame dim]`."""
        inputs = features[:, 0] if self.takes == "samples" else features
        frames = self.module(inputs.transpose(1, 2) if self.takes == "frames_first" else inputs)
        if isinstance(frames, Tensor) and frames.dim() == 3:
            frames = frames.transpose(1, 2) if self.gives == "dims_first" else frames
            n = features.shape[2] // self.stride
            if frames.shape[0] == features.shape[0] and frames.shape[2] == self.dim and frames.shape[1] >= n:
                return frames[:, :n]
        shape = list(frames.shape) if isinstance(frames, Tensor) else type(frames).__name__
        raise WsedError(
            f"encoder module: {type(self.module).__name__} returned {shape} ({self.gives}) for features "
            f"{list(features.shape)}; with dim {self.dim} and stride {self.stride} it must return "
            f"[{len(features)}, {features.shape[2] // self.stride} or more, {self.dim}]"
        )
