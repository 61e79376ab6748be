"""The loader that jsonargparse is given."""

import pytest

from wsed.cli.names import load_yaml
from wsed.cli.training import PLAIN, load

TEXTS = ["wsed.losses.MIL", "crnn", "null", "Null", "true", "FALSE", "no", "a-b", "a: b", "data/desed", "_", "1e-3"]
TEXTS += ["nan", ".inf", "a b", "nullable", "~", "a#b", "none", ""]


@pytest.mark.parametrize("text", TEXTS)
def test_plain_text_is_what_yaml_makes_of_it(text):
    assert load(text) == load_yaml(text)


def test_null_of_a_component_is_no_text():
    """The command-line parser writes `--...encoder.init_args.pretrained=null` as None."""
    assert load("None") is None


def test_the_shortcut_is_taken():
    assert PLAIN.fullmatch("wsed.losses.MIL")
    assert not PLAIN.fullmatch("TRUE")
