"""Configurations of wsed 0.1 are read in their new places, or refused in one line."""

import pytest
import yaml

from wsed.cli.configs import merged
from wsed.cli.main import main
from wsed.cli.moved import translated
from wsed.errors import WsedError

OLD = """
model:
  network: {encoder: crnn}
  losses: {tags: {loss: mil}}
  decoder: {threshold: 0.3}
  resamples: 0
data: {class_path: desed, init_args: {root: corpus, batch: {weak: 4}, duration: 3, labels: [yes, no]}}
"""


def test_an_old_configuration_is_read_in_the_new_places(tmp_path, capsys):
    (tmp_path / "old.yaml").write_text(OLD)
    config = merged([tmp_path / "old.yaml"])
    assert config["evaluation"]["resamples"] == 0
    assert config["evaluation"]["decoder"] == {"init_args": {"threshold": 0.3}}
    assert set(config["model"]) == {"network", "losses"}
    assert config["data"]["batch"] == {"weak": 4}
    assert config["data"]["duration"] == 3
    corpus = config["data"]["corpus"]
    assert corpus["class_path"].endswith("DESED")
    assert corpus["init_args"] == {"root": "corpus", "labels": ["yes", "no"]}
    (line,) = capsys.readouterr().err.splitlines()
    assert "settings of wsed 0.1" in line
    assert "model.decoder is evaluation.decoder" in line


def test_a_new_configuration_stays_as_it_is():
    new = {"data": {"corpus": {"class_path": "desed", "init_args": {"root": "x"}}, "batch": {"weak": 4}}}
    assert translated(new) == (new, [])


def test_windows_and_episodes_of_the_old_name():
    config, _ = translated(yaml.safe_load("data: {class_path: waa, init_args: {root: x, segment: 0.5, per_class: 2}}"))
    assert config["data"] == {
        "corpus": {"class_path": "single_event", "init_args": {"root": "x"}},
        "windows": {"length": 0.5},
        "episodes": {"per_class": 2},
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model": {"resamples": 0}, "evaluation": {"resamples": 9}}, "model.resamples and evaluation.resamples"),
        ({"data": {"class_path": "desed", "init_args": {"headers": "x"}}}, "data.headers is data.reader.headers since"),
        ({"data": {"features": "x"}}, "data.features is data.reader.folder, with data.reader features since"),
    ],
)  # fmt: skip
def test_what_has_another_form_is_refused(config, message):
    with pytest.raises(WsedError, match=message):
        translated(config)


def test_an_old_setting_on_the_command_line_names_the_new_one(tmp_path, capsys):
    (tmp_path / "old.yaml").write_text(OLD.replace("root: corpus", f"root: {tmp_path}"))
    assert main(["fit", "--config", str(tmp_path / "old.yaml"), "--data.init_args.root", "y"]) == 2
    assert "data.root is data.corpus.root since wsed 0.2" in capsys.readouterr().err


def test_a_setting_that_has_changed_is_refused_with_its_file(tmp_path, capsys):
    (tmp_path / "old.yaml").write_text("data: {features: folder}")
    assert main(["fit", "--config", str(tmp_path / "old.yaml")]) == 2
    assert f"{tmp_path / 'old.yaml'}: data.features is data.reader.folder" in capsys.readouterr().err


def test_pseudo_labels_are_a_corpus_of_their_own(capsys):
    assert main(["fit", "--data.train.pseudo", "runs/first"]) == 2
    assert "set data.corpus to pseudo" in capsys.readouterr().err
