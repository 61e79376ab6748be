"""The audio spectrogram transformer: tokens to frames, and weights from a folder."""

import json
from functools import partial

import pytest
import torch

import wsed
from wsed import WsedError
from wsed.models.encoders.audio_transformer import AST
from wsed.models.fbank import FBank
from wsed.models.frontends import LogMel

pytest.importorskip("transformers", reason="the extra speech is not installed")
SMALL = AST.example()[0].keywords["config"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small model with random weights, as transformers saves it."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("ast")
    AST(32, SMALL).model.save_pretrained(path)
    (path / "preprocessor_config.json").write_text(json.dumps({"mean": -4.0, "std": 4.0}))
    return str(path)


def test_a_frame_is_the_mean_of_its_patches(folder):
    encoder = AST(32, SMALL, folder, freeze=True)
    features = torch.randn(1, 32, 130)  # pieces of 64, one every 50: 5 tokens of 10 steps
    frames = encoder(features, None).frames
    assert frames.shape == (1, 13, 16)
    with torch.no_grad():
        tokens = encoder.model(features[:, :, 50:114].transpose(1, 2)).last_hidden_state[0, 2:]
    torch.testing.assert_close(frames[0, 7], tokens.reshape(2, 5, 16)[:, 2].mean(0))  # 2 patches over frequency
    short = torch.full((1, 32, 64), 0.5)  # what is missing are zeros before normalising: -mean / (2 std)
    short[:, :, :30] = features[:, :, :30]
    torch.testing.assert_close(encoder(features[:, :, :30], None).frames, encoder(short, None).frames[:, :3])


def test_what_does_not_fit_is_refused(folder):
    labels, encoder = wsed.Labels("ab"), partial(AST, config=SMALL, pretrained=folder)
    wsed.Composed(labels, encoder, frontend=FBank(n_bands=32, mean=-4.0, std=4.0))
    for frontend in (FBank(n_bands=32), LogMel(16000, 512, 160, 32)):
        with pytest.raises(WsedError, match=r"give `frontend: .*class_path: fbank.*n_bands: 32, mean: -4.0, std: 4.0"):
            wsed.Composed(labels, encoder, frontend=frontend)
    with pytest.raises(WsedError, match=r"128 bands in its config, the frontend has 64; give .frontend: .*fbank"):
        AST(64)
    with pytest.raises(WsedError, match=r"give `config: \{'hidden_size': 16"):
        AST(32, {**SMALL, "hidden_size": 32}, folder)
    with pytest.raises(WsedError, match="did you mean time_stride"):
        AST(128, {"time_strid": 5})
