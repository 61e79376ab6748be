"""`wsed import gpv`: a model folder that detects."""

import numpy as np
import pytest
import soundfile
import torch

import wsed
from wsed.cli.main import main
from wsed.models.encoders.cdur import CDur


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Random weights and three classes."""
    folder = tmp_path_factory.mktemp("gpv")
    output = {"outputlayer.weight": torch.zeros(3, 256), "outputlayer.bias": torch.tensor([9.0, -9.0, -9.0])}
    torch.save(CDur(64).state_dict() | output, folder / "teacher.pth")
    (folder / "labels.txt").write_text("Dog\nAlarm, bell\nSpeech\n")
    return folder


def test_the_folder_detects(files, tmp_path, capsys):
    pytest.importorskip("safetensors", reason="the extra hub is not installed")
    model = tmp_path / "model"
    assert main(["import", "gpv", str(files / "teacher.pth"), str(files / "labels.txt"), str(model)]) == 0
    detector = wsed.load(model)
    assert (list(detector.labels), detector.network.frame_rate) == (["Dog", "Alarm, bell", "Speech"], 12.5)
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    capsys.readouterr()
    assert main(["detect", str(model), str(tmp_path / "a.wav")]) == 0
    assert [line.split("\t")[3] for line in capsys.readouterr().out.splitlines()[1:]] == ["Dog"]
    assert main(["detect", str(model), str(tmp_path / "a.wav"), "--out", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    assert main(["import", "gpv", str(files / "teacher.pth"), str(files / "labels.txt"), str(model)]) == 2
    assert "exists" in capsys.readouterr().err


def test_files_that_do_not_fit_are_refused(files, tmp_path, capsys):
    (tmp_path / "two.txt").write_text("Dog\nCat\n")
    torch.save(CDur(64).state_dict(), tmp_path / "encoder.pth")
    torch.save({"conv.weight": torch.zeros(3, 3)}, tmp_path / "other.pth")
    for weights, labels, message in (
        (files / "teacher.pth", tmp_path / "two.txt", "names 2 classes, but"),
        (tmp_path / "encoder.pth", files / "labels.txt", "missing: outputlayer.bias, outputlayer.weight"),
        (tmp_path / "other.pth", files / "labels.txt", "missing: features.0.block.0.bias"),
        (tmp_path / "other.pth", files / "labels.txt", "unknown: conv.weight"),
        (files / "teacher.pth", tmp_path / "none.txt", "none.txt"),
    ):
        assert main(["import", "gpv", str(weights), str(labels), str(tmp_path / "model")]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
