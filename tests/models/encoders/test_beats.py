"""BEATs: weights under their published names, and files of another configuration."""

import pytest
import torch

from wsed import WsedError
from wsed.models.encoders.beats import PUBLISHED, BEATs

pytest.importorskip("speechbrain", reason="the extra beats is not installed")
SMALL = BEATs.example()[0].keywords["config"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A small model in a file such as the authors publish."""
    old = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    weights = {}
    for name, value in BEATs(128, SMALL).model.state_dict().items():
        for new, before in old.items():
            name = name.replace(new, before)
        weights[name] = value
    path = tmp_path_factory.mktemp("beats") / "beats.pt"
    torch.save({"cfg": {**PUBLISHED, **SMALL}, "model": weights | {"predictor.bias": torch.ones(3)}}, path)
    return str(path)


def test_weights_come_from_a_published_file(file):
    one, two = (BEATs(128, SMALL, file, freeze=True) for _ in range(2))
    features = torch.randn(1, 128, 40)
    frames = one(features, None).frames
    assert frames.shape == (1, 2, 16)
    torch.testing.assert_close(frames, two(features, None).frames)
    assert not torch.allclose(frames, BEATs(128, SMALL).eval()(features, None).frames)


def test_what_does_not_fit_is_refused(file):
    with pytest.raises(WsedError, match=r"give `config: \{'encoder_layers': 2\}`"):
        BEATs(128, {**SMALL, "encoder_layers": 3}, file)
    with pytest.raises(WsedError, match="did you mean encoder_layers"):
        BEATs(128, {"encoder_layer": 3})
    with pytest.raises(WsedError, match=r"class_path: fbank, init_args: \{window: povey"):
        BEATs(64, SMALL, file)
