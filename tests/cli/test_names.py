"""Names in YAML and on the command line: their kind comes from annotations, also of classes that wsed does not know."""

import contextlib
import sys

import pytest
import yaml

from wsed.cli.main import main
from wsed.cli.names import expand, resolve, resolve_arguments
from wsed.errors import WsedError

CRNN, COMPOSED = "wsed.models.encoders.crnn.CRNN", "wsed.models.network.Composed"

THEIRS = """
from wsed.models.base import Network, NetworkFactory
from wsed.types import Labels

class Wrapper(Network):
    \"\"\"Their network.

    Args:
        labels: the classes.
        backbone: a network.
    \"\"\"

    def __init__(self, labels: Labels, backbone: NetworkFactory) -> None:
        super().__init__()
        self.labels, self.inner = labels, backbone(labels)
"""


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    (tmp_path / "their_networks.py").write_text(THEIRS)
    monkeypatch.syspath_prepend(tmp_path)
    yield "their_networks.Wrapper"
    sys.modules.pop("their_networks", None)


def network(config):
    return resolve({"model": {"network": config}})["model"]["network"]


def test_names_of_parts_of_parts_and_lists():
    config = {"student": {"encoder": "crnn", "head": ["macro", {"class_path": "micro", "init_args": {"hidden": 2}}]}}
    args = network({"class_path": "mean_teacher", "init_args": config})["init_args"]
    inner = args["student"]["init_args"]
    assert args["student"]["class_path"] == COMPOSED
    assert inner["encoder"] == {"class_path": CRNN}
    assert inner["head"][0]["class_path"].endswith(".Macro")
    assert inner["head"][1]["init_args"] == {"hidden": 2}


def test_a_class_of_theirs_has_an_argument_of_any_name(theirs):
    args = network({"class_path": theirs, "init_args": {"backbone": {"encoder": "crnn"}}})["init_args"]
    assert args["backbone"] == {"class_path": COMPOSED, "init_args": {"encoder": {"class_path": CRNN}}}
    flags = ["--model.network", theirs, "--model.network.backbone.encoder", "crnn", "--model.network.backbone.x=crnn"]
    assert resolve_arguments(flags)[3::1] == [CRNN, "--model.network.backbone.x=crnn"]
    before = {"model": {"network": {"class_path": theirs}}}
    flags = ["--model.network.init_args.backbone", "{encoder: crnn}"]
    assert CRNN in resolve_arguments(flags, before)[1]


def test_a_class_of_theirs_is_configured_by_yaml_and_command_line(theirs, tmp_path, corpus, capsys):
    config = {
        "model": {
            "network": {"class_path": theirs, "init_args": {"backbone": {"encoder": "waa"}}},
            "losses": {"tags": {"loss": "mil"}},
        },
        "data": {"corpus": {"class_path": "desed", "init_args": {"root": str(corpus)}}, "batch": {"weak": 4}},
    }
    (tmp_path / "theirs.yaml").write_text(yaml.safe_dump(config))
    args = ["--config", str(tmp_path / "theirs.yaml"), "--model.network.backbone.encoder", "crnn", "--print-config"]
    with contextlib.suppress(SystemExit):
        main(["fit", *args])
    printed = yaml.safe_load(capsys.readouterr().out)["model"]["network"]
    assert printed["class_path"] == theirs
    assert printed["init_args"]["backbone"]["init_args"]["encoder"]["class_path"] == "wsed.models.CRNN"


def test_a_class_that_is_left_out_is_the_one_before_or_the_default():
    assert expand({"model": {"network": {"encoder": "crnn"}}})["model"]["network"] == {
        "init_args": {"encoder": {"class_path": CRNN}}
    }
    before = {"model": {"network": {"class_path": "mmnet"}}}
    resolved = resolve_arguments(["--model.network", "{encoder: crnn}"], before)[1]
    assert "mmnet" in resolved
    assert CRNN in resolved


def test_what_is_no_component_keeps_its_words():
    config = {"trainer": {"encoder": "crnn"}, "model": {"optimizer": {"class_path": "x.Y", "init_args": {"head": "a"}}}}
    assert resolve(config) == config
    assert resolve([1]) == [1]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--model.network.encoder", "crn"], r"unknown encoder 'crn' \(did you mean crnn"),
        (["--model.network.encoder=crn"], r"unknown encoder 'crn' \(did you mean crnn"),
        (["--model.losses", "{tags: {loss: mill}}"], r"unknown loss 'mill' \(did you mean mil\?"),
    ],
)
def test_unknown_names(args, message):
    with pytest.raises(WsedError, match=message):
        resolve_arguments(args)
