"""A configuration that is not trusted executes nothing beside what is known."""

import pytest
import yaml

from wsed.cli.configs import prepared
from wsed.errors import WsedError, printable
from wsed.types import Labels

GOOD = {
    "model": {"network": {"encoder": "crnn"}, "losses": {"tags": {"loss": "mil"}}, "optimizer": "torch.optim.AdamW"},
    "data": {"corpus": {"class_path": "desed", "init_args": {"root": "data/x"}}, "batch": {"weak": 4}},
    "trainer": {"callbacks": [{"class_path": "lightning.pytorch.callbacks.LearningRateMonitor"}]},
}
BAD = "import pathlib\npathlib.Path('executed').touch()\nclass Net: pass\n"


@pytest.mark.parametrize("value", [{"class_path": "bad.Net"}, "bad.Net", "net.yaml"])
def test_a_class_of_a_stranger_is_not_imported(tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "bad.py").write_text(BAD)
    for name, encoder in (("bad", value), ("good", "crnn")):
        config = GOOD | {"model": GOOD["model"] | {"network": {"encoder": encoder}}}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(config))
    with prepared(["fit", "--trusted", "false", "--config", "good.yaml"]) as args:
        assert "--trusted" not in args
    with (
        pytest.raises(WsedError, match="--trusted false allows"),
        prepared(["fit", "--trusted=false", "--config", "bad.yaml"]),
    ):
        pass
    assert not (tmp_path / "executed").exists()


def test_the_value_is_true_or_false():
    with (
        pytest.raises(WsedError, match="--trusted is 'no', expected true or false"),
        prepared(["fit", "--trusted", "no"]),
    ):
        pass


def test_control_characters_do_not_reach_a_terminal():
    assert printable("Dog\x1b[2J\n\tCat") == "Dog\\x1b[2J\n\tCat"
    with pytest.raises(WsedError, match="cannot be a class name"):
        Labels(["Dog\x1b[2J"])
