"""YAMNet, a MobileNet trained on AudioSet, with weights from an ONNX file, and its frontend."""

import math
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile, is_zipfile

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from wsed.errors import WsedError
from wsed.models.base import ENCODERS, FRONTENDS, EncoderFactory, Frontend
from wsed.models.encoders.pretrained import Pretrained, load_tensors, wrong_frontend
from wsed.models.frontends import LogMel
from wsed.models.init import to_read
from wsed.ops.grid import padding, whole_frames
from wsed.spec import StartingWeights
from wsed.types import Encoded

if TYPE_CHECKING:  # an extra
    from onnx import GraphProto

PATCH = 96
"""Frames of the features that an embedding is computed from: 0.96 s."""
PART = 512
"""Patches that are embedded at a time where no gradient is kept: 200 MB for each layer."""

BANDS, OFFSET = 64, 0.001
SILENCE = math.log(OFFSET)

QUANTISE = ("QuantizeLinear", "DequantizeLinear")
FLOAT32 = 1
"""The number of the type float32 in ONNX."""

LARGEST = 1_000_000_000
"""Bytes that a zip file may unpack to."""

# channels and stride of each pair of a depthwise and a pointwise convolution, after the first convolution
PAIRS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


@FRONTENDS.register("yamnet")
class YAMNetFeatures(LogMel):
    """The features of the encoder `yamnet`: `ln(mel + 0.001)` of 64 bands at 16 kHz, 100 frames per second.

    >>> YAMNetFeatures().frame_rate
    100.0
    """

    def __init__(self) -> None:
        super().__init__(
            16000, 512, 160, BANDS, 125.0, 7500.0, win_length=400, power=1.0, scale="htk", log_offset=OFFSET
        )


@ENCODERS.register("yamnet")
class YAMNet(Pretrained):
    """YAMNet (Plakal & Ellis 2019): 1,024 values of 0.96 s of sound, every `hop` frames of the features.

    The embedding of a frame is computed from the 0.96 s around the frame's centre; there is silence before and after a
    clip. Weights come from an ONNX file of the network, with batch norm merged into the convolutions; nodes that
    quantise are left out. They need the frontend `yamnet`, and reading them needs the extra `export`.

    Args:
        n_bands: number of bands of the features.
        pretrained: ONNX file with weights, or a zip file with one; random weights if None.
        freeze: do not train the weights.
        hop: frames of the features per embedding, at most 96: 48 is 0.48 s, as in the published network.

    Raises:
        WsedError: `hop` is out of its range, onnx is not installed, or the file holds another network.

    >>> YAMNet(n_bands=64, hop=12)(torch.randn(1, 64, 100), None).frames.shape
    torch.Size([1, 8, 1024])
    """

    dim = PAIRS[-1][0]

    def __init__(
        self, n_bands: int, pretrained: StartingWeights = None, freeze: bool = False, hop: int = PATCH // 2
    ) -> None:
        super().__init__()
        if not 1 <= hop <= PATCH:
            raise WsedError(f"encoder yamnet: hop is from 1 to {PATCH} frames, not {hop}")
        if pretrained is not None and n_bands != BANDS:
            raise wrong_frontend("encoder yamnet", YAMNetFeatures(), f"{n_bands} bands")
        self.stride = hop
        convolutions, inputs = [nn.Conv2d(1, 32, 3, 2)], 32
        for channels, stride in PAIRS:
            convolutions += [nn.Conv2d(inputs, inputs, 3, stride, groups=inputs), nn.Conv2d(inputs, channels, 1)]
            inputs = channels
        self.convolutions = nn.ModuleList(convolutions)
        if (path := to_read(pretrained)) is not None:
            load_tensors(self, read_onnx(path), path)
        self.begin(pretrained, freeze)

    @classmethod
    def example(cls) -> tuple[EncoderFactory, Frontend | None]:
        """An embedding every 0.24 s, and the frontend `yamnet`."""
        return partial(cls, hop=24), YAMNetFeatures()

    def trained_with(self) -> Frontend | None:
        """The frontend `yamnet` if there are pretrained weights."""
        return YAMNetFeatures() if self.pretrained else None

    def forward(self, features: Float[Tensor, "clip band frame"], valid: Bool[Tensor, "clip frame"] | None) -> Encoded:
        padded, valid = padding(valid, features)
        if padded:
            features = torch.where(valid[:, None], features, SILENCE)
        clips, n, beyond = features.shape[0], features.shape[2] // self.stride, PATCH - self.stride
        around = F.pad(features, (beyond // 2, beyond - beyond // 2), value=SILENCE)
        if n == 0:  # shorter than a frame
            return Encoded(features.new_zeros(clips, 0, self.dim), valid[:, :0])
        patches = around.unfold(2, PATCH, self.stride).permute(0, 2, 3, 1)
        frames = self.embeddings(patches.reshape(clips * n, PATCH, -1)).reshape(clips, n, self.dim)
        return Encoded(frames, whole_frames(valid, self.stride))

    def embeddings(self, patches: Float[Tensor, "patch 96 band"]) -> Float[Tensor, "patch dim"]:
        """The embeddings of patches of features; without gradients, those of `PART` patches at a time.

        >>> YAMNet(n_bands=64).embeddings(torch.zeros(2, 96, 64)).shape
        torch.Size([2, 1024])
        """
        if torch.is_grad_enabled() or torch.compiler.is_exporting():
            return self._embedded(patches)
        return torch.cat([self._embedded(part) for part in torch.split(patches, PART)])

    def _embedded(self, patches: Float[Tensor, "patch 96 band"]) -> Float[Tensor, "patch dim"]:
        x = patches[:, None]
        for conv in self.convolutions:
            if conv.kernel_size != (1, 1):  # TensorFlow adds the odd zero at the end
                x = F.pad(x, (0, 1, 0, 1) if conv.stride == (2, 2) else (1, 1, 1, 1))
            x = torch.relu(conv(x))
        return x.mean((2, 3))


def read_onnx(path: str | Path) -> dict[str, Tensor]:
    """The weights and biases of the convolutions of an ONNX file in their order: `convolutions.0.weight`, ...

    Args:
        path: the file, or a zip file that holds it and its data.

    Raises:
        WsedError: onnx is not installed, there is no such file, it is damaged, or its weights are not in float32.
    """
    try:
        import onnx
    except ModuleNotFoundError:
        raise WsedError('encoder yamnet reads its weights with onnx: pip install "wsed[export]"') from None
    path = Path(path)
    if not path.is_file():
        raise WsedError(f"pretrained: no such file: {path}")
    try:
        with TemporaryDirectory() as folder:
            file = path
            if is_zipfile(path):
                with ZipFile(path) as archive:
                    if sum(part.file_size for part in archive.infolist()) > LARGEST:
                        raise ValueError("unpacks to more than a network needs")
                    archive.extractall(folder)
                file = next(iter(Path(folder).rglob("*.onnx")))
            graph = onnx.load(str(file)).graph
    except (StopIteration, OSError, ValueError, BadZipFile, onnx.checker.ValidationError):
        raise WsedError(f"pretrained: {path} is not an ONNX file of a network, or its data is not beside it") from None
    except Exception as error:  # protobuf's errors of a file that is not an ONNX file have no common base
        raise WsedError(f"pretrained: {path} is not an ONNX file of a network: {type(error).__name__}") from None
    return _convolutions(graph, path)


def _convolutions(graph: "GraphProto", path: Path) -> dict[str, Tensor]:
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    before = {node.output[0]: node.input[0] for node in graph.node if node.op_type in QUANTISE}

    def constant(name: str) -> Tensor:
        while name in before:
            name = before[name]
        if name not in constants or constants[name].data_type != FLOAT32:
            raise WsedError(f"pretrained: {name} in {path} is not a constant in float32; export the network in float32")
        return torch.from_numpy(numpy_helper.to_array(constants[name]).copy())

    weights: dict[str, Tensor] = {}
    for i, node in enumerate(node for node in graph.node if node.op_type == "Conv"):
        for kind, name in zip(("weight", "bias"), node.input[1:], strict=False):
            weights[f"convolutions.{i}.{kind}"] = constant(name)
    return weights
