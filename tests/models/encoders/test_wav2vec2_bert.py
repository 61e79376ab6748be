"""Wav2Vec2-BERT: its features, its frames, and weights from a folder."""

from functools import partial

import numpy as np
import pytest
import torch

import wsed
from wsed import WsedError
from wsed.models.encoders.wav2vec2_bert import Wav2Vec2Bert, Wav2Vec2BertFeatures
from wsed.models.encoders.whisper import Whisper
from wsed.models.fbank import FBank

transformers = pytest.importorskip("transformers", reason="the extra speech is not installed")
SMALL = Wav2Vec2Bert.example()[0].keywords["config"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small model with random weights, and its feature extractor, as transformers saves them."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("bert")
    transformers.Wav2Vec2BertModel(transformers.Wav2Vec2BertConfig(**SMALL)).save_pretrained(path)
    transformers.SeamlessM4TFeatureExtractor().save_pretrained(path)
    return str(path)


@pytest.mark.parametrize("n", [1000, 16000, 48123])
def test_features_are_those_of_the_feature_extractor(n):
    audio = (0.1 * np.random.default_rng(0).standard_normal(n) * np.linspace(1, 0.1, n)).astype("f4")
    theirs = transformers.SeamlessM4TFeatureExtractor()(audio, sampling_rate=16000, pad_to_multiple_of=None)
    padded = torch.nn.functional.pad(torch.from_numpy(audio)[None], (0, 999))
    features, valid = Wav2Vec2BertFeatures()(padded, torch.tensor([n]))
    assert valid.sum() == n // 160
    theirs = torch.from_numpy(theirs["input_features"].reshape(-1, 80).T)
    torch.testing.assert_close(features[0, :, : theirs.shape[1]], theirs, atol=1e-4, rtol=1e-4)
    assert not features[0, :, n // 160 :].any()


def test_frames_are_those_of_transformers(folder):
    encoder = Wav2Vec2Bert(80, SMALL, folder, freeze=True)
    theirs = transformers.Wav2Vec2BertModel.from_pretrained(folder).eval()
    features = torch.randn(2, 80, 41)
    valid = torch.arange(41) < torch.tensor([[41], [20]])
    pairs = features[:, :, :40].transpose(1, 2).reshape(2, 20, 160)
    frames = encoder(features, valid).frames
    with torch.no_grad():
        torch.testing.assert_close(frames[:1], theirs(pairs[:1]).last_hidden_state)
        torch.testing.assert_close(frames[1:, :10], theirs(pairs[1:, :10]).last_hidden_state)
    assert not frames[1, 10:].any()


def test_what_does_not_fit_is_refused(folder):
    labels, encoder = wsed.Labels("ab"), partial(Wav2Vec2Bert, config=SMALL, pretrained=folder)
    assert wsed.Composed(labels, encoder, frontend=Wav2Vec2BertFeatures()).frame_rate == 50
    with pytest.raises(WsedError, match=r"trained on other features .* give `frontend: wav2vec2_bert`"):
        wsed.Composed(labels, encoder, frontend=FBank(n_bands=80))
    with pytest.raises(WsedError, match=r"has 80 bands .* the frontend has 64; give .*wav2vec2_bert.*n_bands: 80"):
        Wav2Vec2Bert(64)
    with pytest.raises(WsedError, match=r"give `config: \{'hidden_size': 16"):
        Wav2Vec2Bert(80, {**SMALL, "hidden_size": 32}, folder)
    with pytest.raises(WsedError, match="leave add_adapter out of config"):
        Wav2Vec2Bert(80, {**SMALL, "add_adapter": True})
    with pytest.raises(WsedError, match="holds a wav2vec2-bert; give `encoder: wav2vec2_bert`"):
        Whisper(80, pretrained=folder)
