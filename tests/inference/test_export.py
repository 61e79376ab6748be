"""Exported models give the scores of the network, and what cannot be exported is refused."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import wsed
from tests.inference.small import Loudness, tones
from tests.test_checkpoint import DECODER, LABELS, network, save
from wsed.calibration import Calibration, ClassCalibration, settings_of
from wsed.cli.main import main
from wsed.decoding import StepDecoder
from wsed.errors import WsedError
from wsed.inference import Detector
from wsed.inference.export import onnx as onnx_export
from wsed.inference.export.onnx import export_onnx

SOUND = (0.1 * torch.randn(20000, generator=torch.Generator().manual_seed(0))).numpy()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "seed_0" / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    save(network(), path, seconds=1.0)
    (path.parents[1] / "test").mkdir()
    report = {"clips": 12, "event_f1": {"macro": 0.25}, "intervals": {"event_f1": {"macro": {"low": 0.2, "high": 0.3}}}}
    (path.parents[1] / "test" / "scores.json").write_text(json.dumps(report))
    (path.parents[1] / "config.yaml").write_text(
        "data: {corpus: {class_path: desed, init_args: {root: /home/me/birds}}}"
    )
    return path


def test_a_hub_folder_holds_all_that_a_stranger_needs(checkpoint, tmp_path, capsys):
    folder = tmp_path / "my-detector"
    assert main(["export", str(checkpoint.parents[1]), "--to", "hub", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "config.json", "metrics.json", "model.safetensors",
    ]  # fmt: skip
    mine, theirs = wsed.load(checkpoint), wsed.load(folder)
    assert (theirs.labels, theirs.window, theirs.decoder) == (LABELS, 1.0, mine.decoder)
    torch.testing.assert_close(theirs.scores(SOUND).frames, mine.scores(SOUND).frames)
    card = (folder / "README.md").read_text()
    for text in ("license: unknown", "cat, dog, owl", "| event_f1 | 0.250 | 0.200 to 0.300 |", "`desed`", "`birds`"):
        assert text in card
    assert "/home/me" not in card
    assert main(["export", str(checkpoint), "--to", "hub", str(folder)]) == 2
    assert "my-detector exists; name another folder, or delete it" in capsys.readouterr().err


def test_a_calibration_with_another_decoder_is_left_out_with_a_note(checkpoint, capsys):
    classes = {name: ClassCalibration((0.5,), (0.25,), (1.0,), (0.0, 1.0), (0.25, 0.25)) for name in LABELS}
    decoder = wsed.load(checkpoint).decoder
    file = Calibration(classes, settings_of(decoder)).write(checkpoint)
    assert wsed.load(checkpoint).calibration is not None
    assert capsys.readouterr().err == ""
    Calibration(classes, {"smooth": 9.0}).write(checkpoint)
    assert wsed.load(checkpoint).calibration is None
    assert capsys.readouterr().err.startswith(f"wsed: {file} is not used: it was made with other weights or another")
    file.unlink()


def test_a_damaged_hub_folder_is_refused(checkpoint, tmp_path):
    folder = tmp_path / "model"
    main(["export", str(checkpoint), "--to", "hub", str(folder)])
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(WsedError, match=r"model\.safetensors is damaged .*download it again"):
        wsed.load(folder)
    (folder / "config.json").write_text("{}")
    with pytest.raises(WsedError):
        wsed.load(folder)


@pytest.mark.parametrize(
    ("to", "message"),
    [
        (["hub"], "--to hub needs the folder"),
        (["coreml"], "--to takes onnx or hub"),
        (["onnx", "a", "b"], "--to takes"),
    ],
)
def test_what_it_does_not_write_is_said(checkpoint, capsys, to, message):
    assert main(["export", str(checkpoint), "--to", *to]) == 2
    assert message in capsys.readouterr().err


def test_a_model_that_is_nowhere_is_named():
    with pytest.raises(WsedError, match=r"no such checkpoint: nowhere/best\.ckpt"):
        wsed.load("nowhere/best.ckpt")
    with pytest.raises(WsedError, match=r"no such file: nowhere/model\.onnx"):
        wsed.load("nowhere/model.onnx")


def made_by_hand(path):
    """A model whose one class scores the loudest sample of each frame of 160 samples."""
    from onnx import TensorProto, helper, save_model

    nodes = [
        helper.make_node("Abs", ["audio"], ["loud"]),
        helper.make_node("Unsqueeze", ["loud", "one"], ["channel"]),
        helper.make_node("MaxPool", ["channel"], ["pooled"], kernel_shape=[160], strides=[160]),
        helper.make_node("Transpose", ["pooled"], ["frame_scores"], perm=[0, 2, 1]),
        helper.make_node("ReduceMax", ["frame_scores"], ["clip_scores"], axes=[1], keepdims=0),
    ]
    shapes = {"audio": ["clip", "sample"], "frame_scores": ["clip", "frame", 1], "clip_scores": ["clip", 1]}
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    one = helper.make_tensor("one", TensorProto.INT64, [1], [1])
    inner = helper.make_graph(nodes, "g", [values["audio"]], [values["frame_scores"], values["clip_scores"]], [one])
    model = helper.make_model(inner, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    about = {"labels": ["loud"], "sample_rate": 8000, "frame_rate": 50.0, "decoder": DECODER, "seconds": 1.0}
    about["provides"] = ["frame_logits", "clip_logits"]
    model.metadata_props.add(key="wsed", value=json.dumps(about))
    save_model(model, str(path))
    return model


def test_an_onnx_file_detects(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    made_by_hand(tmp_path / "model.onnx")
    detector = wsed.load(tmp_path / "model.onnx")
    assert (detector.labels.names, detector.window, detector.network.sample_rate) == (("loud",), 1.0, 8000)
    sound = tones(3.0, (0.5, 1.5, 0.9)).numpy()
    assert [(e.label, e.onset, e.offset) for e in detector.detect(sound)] == [("loud", 0.5, 1.5)]
    both = list(detector.detect_many([sound[:3000], sound]))  # of two lengths in one batch
    assert [len(each.events) for each in both] == [0, 1]


def test_an_onnx_file_keeps_the_calibration(tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    model = made_by_hand(tmp_path / "other.onnx")
    del model.metadata_props[:]
    monkeypatch.setattr(onnx_export, "_exported", lambda *_: model)
    monkeypatch.setattr(onnx_export, "_check", lambda *_: None)
    one = ClassCalibration((0.5, 0.75), (0.25, 0.5), (1.0, 0.5), (0.0, 1.0), (0.25, 0.25))
    decoder = StepDecoder(median=[0.06], threshold=0.5)
    calibration = Calibration({"loud": one}, settings_of(decoder))
    made = Detector(Loudness(wsed.Labels(["loud"])), decoder, 1.0, calibration)
    loaded = wsed.load(export_onnx(made, tmp_path / "model.onnx"))
    assert loaded.calibration == calibration
    assert [event.confidence for event in loaded.detect(tones(3.0, (0.5, 1.5, 0.9)).numpy())] == [0.25]


def test_an_export_that_differs_is_refused_and_nothing_is_left(checkpoint, tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    model = made_by_hand(tmp_path / "other.onnx")
    with pytest.raises(WsedError, match=r"other\.onnx exists; name another file, or delete it"):
        export_onnx(wsed.load(checkpoint), tmp_path / "other.onnx")
    del model.metadata_props[:]
    monkeypatch.setattr(onnx_export, "_exported", lambda *_: model)
    with pytest.raises(WsedError, match=r"differ from those of torch by more than 0\.0001: nothing was written"):
        export_onnx(wsed.load(checkpoint), tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["other.onnx"]


@pytest.mark.slow
def test_an_export_scores_as_the_network_does(checkpoint, tmp_path):
    """In a process of its own, as shapes are not checked while torch traces."""
    path = tmp_path / "model.onnx"
    subprocess.run(
        [sys.executable, "-m", "wsed.cli.main", "export", str(checkpoint), "--to", "onnx", str(path)], check=True
    )
    mine, theirs = wsed.load(checkpoint), wsed.load(path)
    assert (theirs.labels, theirs.window, theirs.decoder) == (LABELS, 1.0, mine.decoder)
    for sound in (SOUND, SOUND[:5000]):  # several windows, and less than one
        torch.testing.assert_close(theirs.scores(sound).frames, mine.scores(sound).frames, atol=1e-4, rtol=0)


def test_a_file_that_is_no_export_is_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(WsedError, match="is not a file of `wsed export --to onnx`"):
        wsed.load(tmp_path / "model.onnx")


@pytest.mark.slow
def test_encoders_export_or_say_why_not():
    """The table of docs/how-to/detect.md; `beats` where speechbrain is installed."""
    names = [name for name in wsed.components("encoder") if name != "beats" or find_spec("speechbrain")]
    command = [sys.executable, str(Path(__file__).with_name("exporting.py")), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    pieces = ("ast", "clap", "whisper")  # of one length
    cannot = ("transformers", "wav2vec2_bert")
    assert {name for name, how in found.items() if isinstance(how, str)} == {*pieces, *cannot}
    assert all("cannot be exported to ONNX" in found.pop(name) for name in cannot)
    assert all("the exported network does not take" in found.pop(name) for name in pieces)
    assert max(found.values()) < 1e-5
