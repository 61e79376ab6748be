"""From waveform to scores as one ONNX file, checked against torch when it is written."""

import json
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from wsed.checkpoint_specs import decoder_spec
from wsed.errors import WsedError
from wsed.files import write_whole
from wsed.inference.detector import Detector
from wsed.inference.export.network import META, OnnxNetwork
from wsed.models.base import Network
from wsed.types import Batch, Events

if TYPE_CHECKING:
    from onnx import ModelProto

CLOSE = 1e-4
"""Greatest difference of a score from torch."""


class Scorer(nn.Module):
    """A network from samples to scores: of frames, of clips, or of both."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.outputs = [name for name in ("frame", "clip") if f"{name}_logits" in network.provides]

    def forward(self, audio: Float[Tensor, "clip sample"]) -> tuple[Tensor, ...]:
        output = self.network(_batch(audio, len(self.network.labels)))
        scores = {"frame": output.frame_logits, "clip": output.clip_logits}
        return tuple(torch.sigmoid(value.float()) for name in self.outputs if (value := scores[name]) is not None)


def export_onnx(detector: Detector, path: str | Path) -> Path:
    """Write the network of a detector, with frontend, for clips of any number and length; returns the path.

    Input `audio [clip sample]` at the sample rate of the network; outputs `frame_scores [clip frame label]` and
    `clip_scores [clip label]`, those that the network has. Labels, rates, decoder, windows and calibration are
    metadata (`wsed`).

    Raises:
        WsedError: onnx is not installed, the file exists, the network cannot be exported, or its scores differ from
            those of torch by more than `CLOSE`.
    """
    path = Path(path)
    if path.exists():
        raise WsedError(f"{path} exists; name another file, or delete it")
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise WsedError(f'export needs {error.name}: pip install "wsed[export]"') from None
    network = detector.network.eval().cpu()
    scorer = Scorer(network)
    with write_whole(path) as part:
        model = _exported(scorer, detector.grid.length)
        about = {
            "labels": list(network.labels),
            "sample_rate": network.sample_rate,
            "frame_rate": network.frame_rate,
            "provides": [f"{name}_logits" for name in scorer.outputs],
            "decoder": decoder_spec(detector.decoder),
            "seconds": detector.window,
            "calibration": None if detector.calibration is None else detector.calibration.values(),
        }
        model.metadata_props.add(key=META, value=json.dumps(about))
        onnx.save(model, str(part))
        _check(scorer, OnnxNetwork(part), detector.grid.length)
    return path


def _exported(scorer: Scorer, length: int) -> "ModelProto":
    example = 0.1 * torch.randn(2, length, generator=torch.Generator().manual_seed(0))
    clip, sample = torch.export.Dim.DYNAMIC, torch.export.Dim.DYNAMIC
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # about packages that are not installed
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                scorer,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: clip, 1: sample},),
                input_names=["audio"],
                output_names=[f"{name}_scores" for name in scorer.outputs],
                verbose=False,
            )
    except Exception as error:
        cause = error.__cause__ or error  # torch.onnx wraps what went wrong in advice for developers of torch
        reason = " ".join(str(cause).split()) or type(cause).__name__
        raise WsedError(f"this network cannot be exported to ONNX: {reason[:300]}") from None
    finally:
        logging.disable(before)
    assert program is not None
    model: ModelProto = program.model_proto
    return model


@torch.no_grad()
def _check(scorer: Scorer, exported: OnnxNetwork, length: int) -> None:
    """Compare both on clips of other numbers and lengths than those of the export.

    Raises:
        WsedError: they differ.
    """
    draw = torch.Generator().manual_seed(1)
    for n_clips, samples in ((1, length), (3, length), (2, length + length // 3)):
        audio = 0.1 * torch.randn(n_clips, samples, generator=draw)
        try:
            outputs = exported.scores(audio)
        except Exception as error:
            reason = str(error).strip().splitlines()[0]
            raise WsedError(
                f"the exported network does not take {n_clips} clips of {samples} samples: {reason}"
            ) from None
        for name, mine, theirs in zip(scorer.outputs, scorer(audio), outputs, strict=True):
            if mine.shape != theirs.shape or float((mine - theirs).abs().max()) > CLOSE:
                raise WsedError(
                    f"the exported {name} scores differ from those of torch by more than {CLOSE:g}: nothing was written"
                )


def _batch(audio: Float[Tensor, "clip sample"], n_labels: int) -> Batch:
    """A batch of clips of one length without labels; sizes stay symbolic."""
    n_clips, n_samples = audio.shape
    no = torch.zeros(n_clips, n_labels, dtype=torch.bool)
    return Batch(
        audio=audio,
        n_samples=torch.ones(n_clips, dtype=torch.long) * n_samples,
        clip_labels=audio.new_zeros(n_clips, n_labels),
        tagged=no,
        events=Events.of([]),
        timed=no,
        source=torch.zeros(n_clips, dtype=torch.long),
        sources=("",),
        clip_ids=("",),
        full=True,
    )
