"""Whisper's encoder: its features, its pieces, and weights from a folder of the whole model."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import wsed
from wsed import WsedError, testing
from wsed.models.encoders.audio_transformer import AST
from wsed.models.encoders.speech import Wav2Vec2
from wsed.models.encoders.whisper import Whisper, WhisperFeatures
from wsed.models.frontends import LogMel

transformers = pytest.importorskip("transformers", reason="the extra speech is not installed")
SMALL = Whisper.example()[0].keywords["config"]
WHOLE = {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 16, "vocab_size": 20, "pad_token_id": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small whole model with random weights, and its feature extractor, as transformers saves them."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("whisper")
    config = transformers.WhisperConfig(**SMALL, **WHOLE, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)
    transformers.WhisperForConditionalGeneration(config).save_pretrained(path)
    transformers.WhisperFeatureExtractor().save_pretrained(path)
    return str(path)


@pytest.mark.parametrize("n_bands", [80, 128])
@pytest.mark.parametrize("seconds", [0.01, 3.3, 29.9])
def test_features_are_those_of_the_feature_extractor(n_bands, seconds):
    rng = np.random.default_rng(0)
    audio = (0.1 * rng.standard_normal(round(16000 * seconds)) * np.linspace(1, 0, round(16000 * seconds))).astype("f4")
    theirs = transformers.WhisperFeatureExtractor(n_bands)(audio, sampling_rate=16000)["input_features"][0]
    features, valid = WhisperFeatures(n_bands)(torch.from_numpy(audio)[None], torch.tensor([len(audio)]))
    n = len(audio) // 160
    assert features.shape == (1, n_bands, n)
    assert valid.all()
    torch.testing.assert_close(features[0], torch.from_numpy(theirs[:, :n]), atol=1e-4, rtol=0)


def test_frames_are_those_of_the_whole_model(folder):
    """Filled with silence to one piece, as the feature extractor does it; another piece begins after 1 s."""
    encoder = Whisper(80, SMALL, folder, freeze=True)
    theirs = transformers.WhisperModel.from_pretrained(folder).encoder.eval()
    extractor = transformers.WhisperFeatureExtractor(chunk_length=1)
    audio = 0.1 * torch.randn(1, 24000, generator=torch.Generator().manual_seed(0))
    features, _ = WhisperFeatures()(audio, torch.tensor([24000]))
    frames = encoder(features, None).frames
    assert frames.shape == (1, 75, 16)
    with torch.no_grad():
        torch.testing.assert_close(frames[:, :50], theirs(features[:, :, :100]).last_hidden_state)
        short = extractor(audio[0, :9600].numpy(), sampling_rate=16000, return_tensors="pt")["input_features"]
        short[:, :, 60:] = short[:, :, 99:]  # two windows still see the end of the clip: here they are filled too
        whole = theirs(short).last_hidden_state[:, :30]
    features, _ = WhisperFeatures()(audio[:, :9600], torch.tensor([9600]))
    torch.testing.assert_close(encoder(features, None).frames, whole, atol=1e-4, rtol=0)


def test_shorter_pieces_have_the_first_embeddings_of_places(folder):
    encoder = Whisper(80, SMALL, folder, seconds=0.4).eval()
    whole = Whisper(80, SMALL, folder)
    assert torch.equal(encoder.model.embed_positions.weight, whole.model.embed_positions.weight[:20])
    features = torch.randn(1, 80, 100)
    with torch.no_grad():
        frames = encoder(features, None).frames
        torch.testing.assert_close(frames[:, 20:40], encoder(features[:, :, 40:80], None).frames)
    assert frames.shape == (1, 50, 16)
    testing.check_encoder(partial(Whisper, config=SMALL, seconds=0.4), 80, 130)
    for seconds in (0.0, 1.5):
        with pytest.raises(WsedError, match=r"seconds must be from 0.02 to 1, not"):
            Whisper(80, SMALL, seconds=seconds)


def test_a_checkpoint_needs_no_folder(folder, tmp_path):
    encoder = Whisper(80, SMALL, folder, seconds=0.5)
    other = Whisper(80, SMALL, seconds=0.5)
    other.load_state_dict(encoder.state_dict())
    assert not any("decoder" in name for name in encoder.state_dict())


def test_what_does_not_fit_is_refused(folder, tmp_path):
    labels, encoder = wsed.Labels("ab"), partial(Whisper, config=SMALL, pretrained=folder)
    assert wsed.Composed(labels, encoder, frontend=WhisperFeatures()).frame_rate == 50
    with pytest.raises(WsedError, match=r"trained on other features .* give `frontend: whisper`"):
        wsed.Composed(labels, encoder, frontend=LogMel(16000, 400, 160, 80))
    with pytest.raises(WsedError, match=r"80 bands in its config, the frontend has 128; give .*whisper.*n_bands: 80"):
        Whisper(128)
    with pytest.raises(WsedError, match=r"give `config: \{.*'encoder_layers': 2"):
        Whisper(80, {**SMALL, "encoder_layers": 3}, folder)
    with pytest.raises(WsedError, match="holds a whisper; give `encoder: whisper`"):
        Wav2Vec2(1, pretrained=folder)
    AST.example()[0](32).model.save_pretrained(tmp_path)
    with pytest.raises(WsedError, match="give `encoder: ast`"):
        Whisper(80, SMALL, str(tmp_path))
    with pytest.raises(WsedError, match="n_bands must be 1 or more"):
        WhisperFeatures(0)


def test_a_feature_extractor_that_the_frontend_cannot_be_is_refused(folder, tmp_path):
    for file in Path(folder).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    file = tmp_path / "preprocessor_config.json"
    file.rename(tmp_path / "processor_config.json")  # of a processor: the feature extractor is a part of it
    facts = json.loads((tmp_path / "processor_config.json").read_text())
    for wrong, message in (
        ({"hop_length": 80}, "hop_length: 80; the frontend can only have 160"),
        (None, "is damaged"),
    ):
        content = {"feature_extractor": None if wrong is None else facts | wrong}
        (tmp_path / "processor_config.json").write_text(json.dumps(content))
        with pytest.raises(WsedError, match=message):
            Whisper(80, SMALL, str(tmp_path))


def test_a_model_without_an_encoder_of_its_own_is_one_of_the_encoder_transformers(tmp_path):
    config = transformers.Speech2TextConfig(
        d_model=8, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=8, decoder_ffn_dim=8, vocab_size=20,
        encoder_attention_heads=2, decoder_attention_heads=2, conv_channels=8, pad_token_id=0,
    )  # fmt: skip
    transformers.Speech2TextModel(config).save_pretrained(tmp_path)
    advice = r"give `encoder: \{class_path: transformers, init_args: \{architecture: speech_to_text\}\}`"
    with pytest.raises(WsedError, match=f"holds a speech_to_text; {advice}"):
        Whisper(80, SMALL, str(tmp_path))
