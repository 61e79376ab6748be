"""A network that ONNX Runtime computes."""

import json
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.models.base import Network
from wsed.ops.grid import valid_frames
from wsed.types import Batch, Labels, Output

META = "wsed"
"""The entry of the metadata that holds labels, rates, decoder, windows and calibration, as JSON."""

EPS = 1e-7


class OnnxNetwork(Network):
    """A network from a file of `wsed export --to onnx`; it cannot be trained.

    Args:
        path: the file.

    Attributes:
        about: its metadata.

    Raises:
        WsedError: onnxruntime is not installed, or `wsed export` did not write the file.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        try:
            import onnxruntime
        except ModuleNotFoundError:
            raise WsedError(f'{path} needs onnxruntime: pip install "wsed[export]"') from None
        if not Path(path).is_file():
            raise WsedError(f"no such file: {path}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            about = json.loads(self._session.get_modelmeta().custom_metadata_map[META])
        except Exception as error:
            reason = str(error).strip().splitlines()[0][:200]
            raise WsedError(f"{path} is not a file of `wsed export --to onnx` ({reason}); export it again") from None
        self.about: dict[str, object] = about
        self.labels = Labels(about["labels"])
        self.sample_rate, self.frame_rate = int(about["sample_rate"]), float(about["frame_rate"])
        self.provides = frozenset(about["provides"])

    def scores(self, audio: Float[Tensor, "clip sample"]) -> list[Tensor]:
        """Frame scores and clip scores of clips of one length, those that the network has."""
        return [torch.from_numpy(part) for part in self._session.run(None, {"audio": audio.numpy()})]

    def forward(self, batch: Batch) -> Output:
        clips = zip(batch.samples(), batch.n_samples.tolist(), strict=True)
        parts = [self.scores(audio[None, :n]) for audio, n in clips]  # one by one: they fit the cache, without padding
        outputs = [_padded(list(of)) for of in zip(*parts, strict=True)]
        logits = iter(torch.logit(scores, eps=EPS) for scores in outputs)
        of_frames = next(logits) if "frame_logits" in self.provides else None
        of_clips = next(logits) if "clip_logits" in self.provides else None
        valid = None
        if of_frames is not None:
            hop = round(self.sample_rate / self.frame_rate)
            valid = valid_frames(batch.n_samples, hop, of_frames.shape[1])
        return Output(of_frames, of_clips, valid=valid, frame_rate=self.frame_rate)


def _padded(scores: list[Tensor]) -> Tensor:
    """The scores of clips as one tensor; those of shorter clips end with zeros."""
    if scores[0].ndim == 2:
        return torch.cat(scores)
    return torch.nn.utils.rnn.pad_sequence([each[0] for each in scores], batch_first=True)
