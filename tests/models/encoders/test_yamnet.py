"""YAMNet: weights from an ONNX file with nodes that quantise, against onnxruntime."""

from zipfile import ZipFile

import numpy as np
import pytest
import torch

import wsed
from wsed import WsedError
from wsed.models.encoders.yamnet import PATCH, YAMNet, YAMNetFeatures, read_onnx
from wsed.models.frontends import LogMel, waa_logmel

onnx = pytest.importorskip("onnx", reason="the extra export is not installed")


def graph_of(encoder, quantise):
    """The network as ONNX, with or without nodes that quantise the weights."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, last = [], [], "patches"
    scale = numpy_helper.from_array(np.float32(0.01), "scale"), numpy_helper.from_array(np.uint8(128), "zero")
    for i, conv in enumerate(encoder.convolutions):
        weight, bias = (numpy_helper.from_array(v.detach().numpy(), f"{n}{i}") for n, v in conv.named_parameters())
        constants += [weight, bias]
        name = f"weight{i}"
        if quantise:
            nodes.append(helper.make_node("QuantizeLinear", [name, "scale", "zero"], [f"q{i}"]))
            nodes.append(helper.make_node("DequantizeLinear", [f"q{i}", "scale", "zero"], [name := f"weight{i}_qdq"]))
        same = [0, 0, 0, 0] if conv.kernel_size == (1, 1) else [0, 0, 1, 1] if conv.stride == (2, 2) else [1, 1, 1, 1]
        settings = {"pads": same, "strides": list(conv.stride), "group": conv.groups}
        nodes += [helper.make_node("Conv", [last, name, f"bias{i}"], [f"conv{i}"], **settings)]
        nodes += [helper.make_node("Relu", [f"conv{i}"], [last := f"relu{i}"])]
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["embeddings"]))
    inputs = [helper.make_tensor_value_info("patches", TensorProto.FLOAT, [None, 1, PATCH, 64])]
    outputs = [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, [None, 1024, 1, 1])]
    graph = helper.make_graph(nodes, "yamnet", inputs, outputs, [*constants, *(scale if quantise else ())])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """ONNX files of random weights: with nodes that quantise (also zipped), and without."""
    torch.manual_seed(0)
    encoder, folder = YAMNet(64), tmp_path_factory.mktemp("yamnet")
    for name, quantise in (("quantised", True), ("plain", False)):
        onnx.save(graph_of(encoder, quantise), folder / f"{name}.onnx")
    with ZipFile(folder / "quantised.onnx.zip", "w") as archive:
        archive.write(folder / "quantised.onnx", "a/model.onnx")
    return folder


def test_embeddings_are_those_of_onnxruntime(files):
    runtime = pytest.importorskip("onnxruntime", reason="the extra export is not installed")
    encoder = YAMNet(64, pretrained=str(files / "quantised.onnx.zip")).eval()
    patches = torch.randn(2, PATCH, 64)
    (expected,) = runtime.InferenceSession(files / "plain.onnx").run(None, {"patches": patches[:, None].numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(encoder.embeddings(patches), expected[:, :, 0, 0], atol=1e-5)


def test_a_frame_is_the_patch_around_it():
    encoder = YAMNet(64, hop=24).eval()
    features = torch.randn(1, 64, 240)
    with torch.no_grad():
        encoded = encoder(features, None)
        patch = features[0, :, 3 * 24 - 36 : 3 * 24 + 60].T  # frame 3 is [72, 96), the patch 36 more on both sides
        torch.testing.assert_close(encoded.frames[0, 3], encoder.embeddings(patch[None])[0], atol=1e-5, rtol=1e-4)
        assert encoder(features[:, :, :20], None).frames.shape == (1, 0, 1024)


def test_what_cannot_work_is_refused(files, tmp_path):
    path = str(files / "plain.onnx")
    for frontend in (waa_logmel(), LogMel(n_bands=40)):
        with pytest.raises(WsedError, match=r"encoder yamnet: its weights.*give `frontend: yamnet`"):
            wsed.Composed(wsed.Labels("ab"), lambda n: YAMNet(n, path), frontend=frontend)
    wsed.Composed(wsed.Labels("ab"), lambda n: YAMNet(n, path, freeze=True), frontend=YAMNetFeatures())
    with pytest.raises(WsedError, match="hop is from 1 to 96"):
        YAMNet(64, hop=97)
    with pytest.raises(WsedError, match="no such file"):
        read_onnx(tmp_path / "none.onnx")
    (tmp_path / "noise.onnx").write_bytes(b"noise" * 99)
    with pytest.raises(WsedError, match="not an ONNX file of a network"):
        read_onnx(tmp_path / "noise.onnx")
    model = onnx.load(path)
    del model.graph.node[0]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(
        WsedError, match=r"of another network: missing: convolutions.26.bias.*; convolutions.1.weight is"
    ):
        YAMNet(64, pretrained=str(tmp_path / "other.onnx"))


def test_patches_are_embedded_a_part_at_a_time(monkeypatch):
    torch.manual_seed(0)
    encoder, features = YAMNet(64, hop=24).eval(), torch.randn(2, 64, 200)
    whole = encoder(features, None).frames
    monkeypatch.setattr("wsed.models.encoders.yamnet.PART", 3)
    with torch.no_grad():
        torch.testing.assert_close(encoder(features, None).frames, whole)
    with torch.no_grad():
        assert encoder(features[:, :, :10], None).frames.shape[1] == 0
