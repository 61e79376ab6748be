"""Once a checkpoint holds the weights, the file that a training started from is not needed any more."""

import inspect
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml

from wsed.build import weights_are_loaded
from wsed.checkpoint import read_weights
from wsed.cli.main import main
from wsed.errors import WsedError
from wsed.models.base import ENCODERS
from wsed.models.encoders.cdur import CDur

LOGMEL = {
    "class_path": "logmel",
    "init_args": {"sample_rate": 8000, "n_fft": 256, "hop_length": 160, "f_max": 4000.0},
}
CRNN = {"class_path": "crnn", "init_args": {"channels": 4, "gru": 4, "dense": 8}}
PLAIN = {"frontend": LOGMEL, "encoder": CRNN}
SMALL = {
    "model": {"network": PLAIN, "losses": {"tags": {"loss": "mil"}}},
    "evaluation": {"resamples": 0},
    "data": {"corpus": {"class_path": "desed", "init_args": {}}, "batch": {"weak": 4}, "workers": 0},
    "trainer": {"max_epochs": 1, "accelerator": "cpu", "logger": False},
}
COMPOSED = {"class_path": "composed", "init_args": PLAIN}


@pytest.fixture(scope="module")
def earlier(tmp_path_factory, exp):
    """The checkpoint of an earlier run."""
    folder = tmp_path_factory.mktemp("earlier")
    assert main(["fit", "--config", exp, "--trainer.default_root_dir", str(folder)]) == 0
    return folder / "checkpoints" / "last.ckpt"


def networks(path):
    """Networks that start from a file, by name, as in YAML."""
    embeddings = {"class_path": "embeddings", "init_args": {**PLAIN, "pretrained": path}}
    teacher = {"student": COMPOSED, "pretrained": path}
    part = {"frontend": embeddings, "encoder": "identity"}
    gated = {"detector": COMPOSED, "tagger": COMPOSED, "pretrained": path}
    return {
        "encoder": {"frontend": "cdur", "encoder": {"class_path": "cdur", "init_args": {"pretrained": path}}},
        "embeddings": {"frontend": embeddings, "encoder": "identity"},
        "teacher": {"class_path": "mean_teacher", "init_args": teacher},
        "gated": {"class_path": "tag_gated", "init_args": gated},
        "shared": {"class_path": "tag_gated", "init_args": {"detector": part, "tagger": part | {"head": "tagging"}}},
    }


@pytest.mark.parametrize("kind", ["encoder", "embeddings", "teacher", "gated", "shared"])
def test_test_and_resume_do_without_the_file(kind, exp, earlier, tmp_path):
    weights = tmp_path / "weights.ckpt"
    torch.save(CDur(64).state_dict(), weights) if kind == "encoder" else weights.write_bytes(earlier.read_bytes())
    settings = yaml.safe_load(Path(exp).read_text(encoding="utf-8"))
    settings["model"]["network"] = networks(str(weights))[kind]
    if kind == "shared":
        settings["model"]["losses"]["clips"] = {"loss": "clip_bce"}
        settings["data"]["augment"] = [{"class_path": "mixup", "init_args": {"on": "features"}}]
    if kind in ("embeddings", "shared"):
        settings["data"]["reader"] = {"class_path": "features", "init_args": {"folder": str(tmp_path / "cache")}}
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    run = tmp_path / "run"
    assert main(["fit", "--config", str(tmp_path / "exp.yaml"), "--trainer.default_root_dir", str(run)]) == 0
    scores, cached = (run / "test" / "scores.json").read_bytes(), sorted((tmp_path / "cache").glob("*"))
    config = ["--config", str(run / "config.yaml")]

    weights.unlink()
    assert main(["test", *config, "--ckpt_path", "best", "--seed_everything", "5"]) == 0
    assert (run / "test" / "scores.json").read_bytes() == scores
    before = read_weights(run / "checkpoints" / "last.ckpt")
    assert main(["fit", *config, "--resume", "auto", "--trainer.max_epochs", "2"]) == 0
    after = read_weights(run / "checkpoints" / "last.ckpt")
    assert any(not torch.equal(before[name], after[name]) for name in before)
    fixed = {"embeddings": "frontend.", "teacher": "teacher.", "gated": "tagger."}.get(kind, "-")
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith(fixed))
    assert sorted((tmp_path / "cache").glob("*")) == cached


def test_a_new_training_needs_the_file(exp, tmp_path, capsys):
    settings = yaml.safe_load(Path(exp).read_text(encoding="utf-8"))
    settings["model"]["network"] = networks("missing.pth")["encoder"]
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    assert main(["fit", "--config", str(tmp_path / "exp.yaml"), "--trainer.default_root_dir", str(tmp_path / "r")]) == 2
    assert "pretrained: no such file: missing.pth" in capsys.readouterr().err


def test_null_on_the_command_line_is_no_file(exp, tmp_path):
    settings = yaml.safe_load(Path(exp).read_text(encoding="utf-8"))
    settings["model"]["network"] = networks("missing.pth")["encoder"]
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    args = ["fit", "--config", str(tmp_path / "exp.yaml"), "--trainer.default_root_dir", str(tmp_path / "run")]
    assert main([*args, "--model.network.encoder.init_args.pretrained=null"]) == 0
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text(encoding="utf-8"))
    assert config["model"]["network"]["init_args"]["encoder"]["init_args"]["pretrained"] is None


STARTING = [name for name in ENCODERS.names() if "pretrained" in inspect.signature(ENCODERS[name]).parameters]


@pytest.mark.parametrize("name", STARTING)
def test_an_encoder_reads_its_file_only_if_no_weights_are_loaded_afterwards(name):
    if name == "beats":
        pytest.importorskip("speechbrain", reason="the extra beats is not installed")
    elif name not in ("cdur", "module", "yamnet"):
        pytest.importorskip("transformers", reason="the extra speech is not installed")
    factory, frontend = ENCODERS[name].example()
    start = partial(factory, 64 if frontend is None else frontend.n_bands, pretrained="missing")
    with weights_are_loaded():
        start()
    with pytest.raises(WsedError, match=r"missing"):
        start()
