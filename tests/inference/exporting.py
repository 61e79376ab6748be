"""Export a small network of each encoder to ONNX; prints JSON: the greatest difference of a score, or why it cannot.

A process of its own, as shapes are not checked while torch traces.
"""

import json
import logging
import sys
import tempfile
from pathlib import Path

import torch

import wsed
from wsed.decoding import StepDecoder
from wsed.errors import WsedError
from wsed.inference import Detector
from wsed.inference.export.network import OnnxNetwork
from wsed.inference.export.onnx import Scorer, export_onnx
from wsed.registry import registry


def difference(name: str) -> float | str:
    """Of the scores of an untrained network."""
    torch.manual_seed(0)
    encoder, frontend = registry("encoder")[name].example()
    network = wsed.Composed(wsed.Labels(["Dog", "Cat"]), encoder, frontend=frontend).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        detector = Detector(network, StepDecoder(), window=2.0)
        try:
            exported = OnnxNetwork(export_onnx(detector, path))
        except WsedError as error:
            return str(error)
        audio = 0.1 * torch.randn(2, detector.grid.length)
        with torch.no_grad():
            pairs = zip(Scorer(network)(audio), exported.scores(audio), strict=True)
            return max(float((mine - theirs).abs().max()) for mine, theirs in pairs)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    print(json.dumps({name: difference(name) for name in sys.argv[1:]}))
