"""CLAP's audio encoder: its features, its frames, and weights from a folder of the whole model."""

from functools import partial

import numpy as np
import pytest
import torch

import wsed
from wsed import WsedError, testing
from wsed.models.encoders.clap import CLAP
from wsed.models.encoders.whisper import Whisper
from wsed.models.frontends import LogMel

transformers = pytest.importorskip("transformers", reason="the extra speech is not installed")
SMALL = CLAP.example()[0].keywords["config"]
FUSED = {**SMALL, "enable_fusion": True, "fusion_type": "aff_2d"}
SOUND = {"feature_size": 8, "sampling_rate": 8000, "hop_length": 80, "fft_window_size": 256, "frequency_max": 4000}


def saved(path, config, **more):
    """A small whole model with random weights, and its feature extractor, as transformers saves them."""
    torch.manual_seed(0)
    text = {
        "vocab_size": 20,
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
    }
    whole = transformers.ClapConfig(text_config=text, audio_config=config)
    transformers.ClapModel(whole).save_pretrained(path)
    transformers.ClapFeatureExtractor(**SOUND, **more).save_pretrained(path)
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("clap"), SMALL, truncation="rand_trunc")


@pytest.mark.parametrize("truncation", ["rand_trunc", "fusion"])
def test_features_are_those_of_the_feature_extractor(tmp_path, truncation):
    path = saved(tmp_path, FUSED if truncation == "fusion" else SMALL, truncation=truncation)
    config = FUSED if truncation == "fusion" else SMALL
    frontend = CLAP(8, config, path).trained_with()
    audio = (0.1 * np.random.default_rng(0).standard_normal(80000)).astype("f4")
    extractor = transformers.ClapFeatureExtractor.from_pretrained(path)
    theirs = torch.as_tensor(np.asarray(extractor(audio, sampling_rate=8000)["input_features"]))[0, 0].T.float()
    mine = frontend(torch.from_numpy(audio)[None], torch.tensor([80000]))[0][0]
    assert mine.shape == theirs.shape == (8, 1001)
    inside = slice(2, -2)  # there is silence around a clip, not the clip mirrored
    torch.testing.assert_close(mine[:, inside], theirs[:, inside], atol=1e-3, rtol=1e-4)  # dB


@pytest.mark.parametrize("config", [SMALL, FUSED])
def test_frames_are_those_of_the_whole_model(tmp_path, config):
    path = saved(tmp_path, config)
    encoder = CLAP(8, config, path, freeze=True)
    theirs = transformers.ClapModel.from_pretrained(path).audio_model.eval()
    features = 10 * torch.randn(2, 8, 256)
    frames = encoder(features, None).frames
    assert frames.shape == (2, 256 // encoder.stride, 16)
    with torch.no_grad():
        pieces = torch.stack(features.split(128, 2), 1).flatten(0, 1).transpose(1, 2)[:, None]
        pooled = theirs(pieces, is_longer=torch.zeros(4, 1)).pooler_output
    torch.testing.assert_close(frames.unflatten(1, (2, -1)).mean(2).flatten(0, 1), pooled)


def test_frames_are_in_the_order_of_time():
    torch.manual_seed(0)
    encoder = CLAP(8, SMALL).eval()
    features = 10 * torch.randn(1, 8, 128)
    louder = features.clone()
    louder[:, :, 72:80] += 5.0
    with torch.no_grad():
        change = (encoder(louder, None).frames - encoder(features, None).frames).abs().sum(2)[0]
    assert int(change.argmax()) == 72 // encoder.stride
    assert change.max() > 5 * change.sort().values[-2]


def test_what_does_not_fit_is_refused(folder):
    labels, encoder = wsed.Labels("ab"), partial(CLAP, config=SMALL, pretrained=folder)
    wsed.Composed(labels, encoder, frontend=LogMel(8000, 256, 80, 8, 0.0, 4000.0))
    with pytest.raises(WsedError, match=r"trained on other features .*class_path: logmel.*f_max: 4000"):
        wsed.Composed(labels, encoder, frontend=LogMel(8000, 256, 80, 8, 50.0, 4000.0, scale="htk"))
    with pytest.raises(WsedError, match="8 bands in its config, the frontend has 64; set n_bands of the frontend to 8"):
        CLAP(64, SMALL)
    with pytest.raises(WsedError, match=r"give `config: \{'depths': \[1, 1\]"):
        CLAP(8, {**SMALL, "depths": [1, 2]}, folder)
    with pytest.raises(WsedError, match="holds a clap; give `encoder: clap`"):
        Whisper(80, pretrained=folder)
    testing.check_encoder(partial(CLAP, config=SMALL), 8, 300)
