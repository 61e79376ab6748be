"""Encoders of the waveform: the samples as features, and wav2vec 2.0 and its relatives, small ones."""

import re
import subprocess
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
import torch

import wsed
from wsed import WsedError, testing
from wsed.build import build, weights_are_loaded
from wsed.models.base import EncoderFactory
from wsed.models.encoders import speech
from wsed.models.encoders.audio_transformer import AST
from wsed.models.encoders.speech import HuBERT, Wav2Vec2, WavLM
from wsed.models.encoders.transformers_models import random_model
from wsed.models.frontends import Waveform
from wsed.models.heads.clip_attention import ClipAttention
from wsed.models.network import Composed

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
SMALL |= {"conv_dim": [8, 8], "conv_kernel": [10, 4], "conv_stride": [5, 4], "num_conv_pos_embedding_groups": 2}


@pytest.fixture
def transformers():
    return pytest.importorskip("transformers", reason="the extra speech is not installed")


@pytest.fixture
def folder(transformers, tmp_path):
    """A folder with the weights of a small WavLM, and the encoder they are of."""
    encoder = Wav2Vec2(1, "wavlm", SMALL)
    encoder.model.save_pretrained(tmp_path / "weights")
    return str(tmp_path / "weights"), encoder


def test_the_waveform_has_mean_zero_and_variance_one():
    audio = torch.randn(2, 400) * 0.1 + 0.3
    n_samples = torch.tensor([400, 150])
    features, valid = Waveform()(audio, n_samples)
    assert valid.sum(1).tolist() == [400, 150]
    for i, n in enumerate([400, 150]):
        clip = features[i, 0, :n]
        expected = (audio[i, :n] - audio[i, :n].mean()) / audio[i, :n].std(correction=0)
        torch.testing.assert_close(clip, expected, atol=1e-4, rtol=1e-4)
    assert not features[1, 0, 150:].any()
    assert torch.equal(Waveform(normalise=False)(audio, n_samples)[0][:, 0], audio)
    assert torch.isfinite(Waveform()(torch.zeros(1, 9), torch.tensor([9]))[0]).all()
    with pytest.raises(WsedError, match="sample_rate must be 1 or more"):
        Waveform(0)


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("architecture", ["wav2vec2", "hubert", "wavlm", "unispeech"])
def test_encoder(transformers, architecture, norm):
    config = {**SMALL, "feat_extract_norm": norm, "do_stable_layer_norm": norm == "layer"}
    testing.check_encoder(lambda n: Wav2Vec2(n, architecture, config), n_bands=1, n_steps=600)


@pytest.mark.parametrize("architecture", ["data2vec-audio", "unispeech-sat", "wav2vec2-conformer", "sew", "sew-d"])
def test_every_model_of_a_waveform_is_an_encoder(transformers, architecture, tmp_path):
    testing.check_encoder(lambda n: Wav2Vec2(n, architecture, SMALL), n_bands=1, n_steps=600)
    model = random_model(speech.configuration(architecture, SMALL)).eval()
    model.save_pretrained(tmp_path)
    advice = f"give `encoder: {{class_path: wav2vec2, init_args: {{architecture: {architecture}}}}}`"
    with pytest.raises(WsedError, match=re.escape(f"holds a {architecture}; {advice}")):
        Wav2Vec2(1, config=SMALL, pretrained=str(tmp_path))
    loaded = Wav2Vec2(1, architecture, SMALL, pretrained=str(tmp_path)).eval()
    samples = torch.randn(2, 1, 400)
    with torch.no_grad():
        expected = model(torch.nn.functional.pad(samples[:, 0], loaded._pad)).last_hidden_state
        torch.testing.assert_close(loaded(samples, None).frames, expected)


def test_advice_names_an_encoder_that_takes_the_weights(transformers, tmp_path):
    AST.example()[0](32).model.save_pretrained(tmp_path)
    with pytest.raises(WsedError, match="holds a audio-spectrogram-transformer; give `encoder: ast`"):
        Wav2Vec2(1, config=SMALL, pretrained=str(tmp_path))
    with pytest.raises(WsedError, match="does not read a waveform; give `encoder: ast`"):
        Wav2Vec2(1, "audio-spectrogram-transformer")
    advice = "give `encoder: {class_path: transformers, init_args: {architecture: speecht5}}`"
    with pytest.raises(WsedError, match=re.escape(f"speecht5 does not read a waveform; {advice}")):
        Wav2Vec2(1, "speecht5")
    with pytest.raises(WsedError, match="no encoder of wsed takes it: bert has no part that reads sound"):
        Wav2Vec2(1, "bert")


def test_frames_are_320_samples_with_a_margin_on_both_sides(transformers):
    sizes = {k: v for k, v in SMALL.items() if not k.startswith("conv_")} | {"conv_dim": [4] * 7}
    encoder = Wav2Vec2(1, config={**sizes, "feat_extract_norm": "layer"}).eval()
    assert encoder.stride == 320
    for n in (320, 639, 640, 16000):
        given = encoder(torch.randn(1, 1, n), torch.ones(1, n, dtype=torch.bool))
        assert given.frames.shape == (1, n // 320, 16)
        assert given.valid.all()
    samples = torch.randn(1, 3200, requires_grad=True)
    encoder.model.feature_extractor(torch.nn.functional.pad(samples, encoder._pad))[..., 5].sum().backward()
    seen = samples.grad[0].nonzero()[:, 0]
    assert (int(seen.min()), int(seen.max())) == (320 * 5 - 40, 320 * 6 + 39)


def test_clips_shorter_than_a_frame_give_none(transformers):
    encoder = Wav2Vec2(1, config=SMALL)
    valid = torch.arange(100).expand(3, 100) < torch.tensor([[100], [19], [0]])
    given = encoder(torch.randn(3, 1, 100), valid)
    assert given.valid.sum(1).tolist() == [5, 0, 0]
    assert not given.frames[1:].any()


def test_weights_come_from_a_folder(folder):
    path, encoder = folder
    loaded = Wav2Vec2(1, "wavlm", SMALL, pretrained=path, freeze=True)
    assert loaded.state_dict().keys() == encoder.state_dict().keys()
    assert all(torch.equal(v, encoder.state_dict()[k]) for k, v in loaded.state_dict().items())
    assert not any(p.requires_grad for p in loaded.parameters())
    assert not loaded.train().model.training
    assert Wav2Vec2(1, "wavlm", SMALL, pretrained=path).train().model.training


def test_wavlm_and_hubert_are_encoders_of_their_own_name(folder, tmp_path):
    path, encoder = folder
    spec = {"class_path": "wavlm", "init_args": {"config": SMALL, "pretrained": path, "freeze": True}}
    loaded = build(EncoderFactory, spec)(1)
    assert isinstance(loaded, WavLM)
    assert all(torch.equal(v, encoder.state_dict()[k]) for k, v in loaded.state_dict().items())
    with pytest.raises(WsedError, match="holds a wavlm; give `encoder: wavlm`"):
        HuBERT(1, SMALL, path)
    with pytest.raises(WsedError, match="encoder hubert takes the waveform, not 64 bands"):
        HuBERT(64)
    other = Wav2Vec2(1, "hubert", SMALL)
    other.load_state_dict(HuBERT(1, SMALL).state_dict())
    assert {"hubert", "wav2vec2", "wavlm"} <= {*wsed.components("encoder")}


def test_weights_that_do_not_fit_are_refused(folder, tmp_path):
    path, _ = folder
    with pytest.raises(WsedError, match="holds a wavlm; give `encoder: wavlm`"):
        Wav2Vec2(1, config=SMALL, pretrained=path)
    with pytest.raises(WsedError, match=r"give `config: \{'hidden_size': 16\}`"):
        Wav2Vec2(1, "wavlm", {**SMALL, "hidden_size": 32}, pretrained=path)
    with pytest.raises(WsedError, match="no such folder"):
        Wav2Vec2(1, pretrained=str(tmp_path / "none"))
    with pytest.raises(WsedError, match="holds no model"):
        Wav2Vec2(1, pretrained=str(tmp_path))


def test_a_folder_of_a_model_for_another_task_serves_and_one_that_lacks_weights_does_not(transformers, tmp_path):
    reader = transformers.Wav2Vec2ForCTC(speech.configuration("wav2vec2", {**SMALL, "mask_time_prob": 0.1}))
    reader.save_pretrained(tmp_path)
    encoder = Wav2Vec2(1, config=SMALL, pretrained=str(tmp_path))
    theirs = reader.wav2vec2.state_dict()
    assert all(torch.equal(v, theirs[k]) for k, v in encoder.model.state_dict().items())
    deeper = {**SMALL, "num_hidden_layers": 3}
    speech.configuration("wav2vec2", deeper).save_pretrained(tmp_path)
    with pytest.raises(WsedError, match=r"lack encoder.layers.2"):
        Wav2Vec2(1, config=deeper, pretrained=str(tmp_path))


def test_a_folder_without_a_description_of_its_audio_is_of_16_khz(folder):
    path, _ = folder
    labels, encoder = wsed.Labels("ab"), partial(Wav2Vec2, architecture="wavlm", config=SMALL, pretrained=path)
    for normalise in (True, False):  # unknown without the file
        Composed(labels, encoder, frontend=Waveform(normalise=normalise))
    with pytest.raises(WsedError, match=r"audio of 16000 Hz, not 8000; set sample_rate of `frontend` to 16000"):
        Composed(labels, encoder, frontend=Waveform(8000))
    (Path(path) / "preprocessor_config.json").write_text('{"sampling_rate": 8000, "do_normalize": false}')
    Composed(labels, encoder, frontend=Waveform(8000, normalise=False))
    with pytest.raises(WsedError, match="trained on other features"):
        Composed(labels, encoder, frontend=Waveform())


class Object:
    """Something that weights never need."""


@pytest.mark.parametrize("kind", ["half", "empty", "noise", "object", "half safetensors", "empty safetensors"])
def test_weights_that_cannot_be_read_safely_are_refused(folder, kind):
    path, encoder = folder
    file = Path(path) / "model.safetensors"
    if "safetensors" not in kind:
        file.unlink()
        file = Path(path) / "pytorch_model.bin"
        torch.save({**encoder.model.state_dict(), **({"more": Object()} if kind == "object" else {})}, file)
    whole = file.read_bytes()
    part = {"half": whole[: len(whole) // 2], "empty": b"", "noise": bytes(range(256)) * 4, "object": whole}
    file.write_bytes(part[kind.split()[0]])
    with pytest.raises(WsedError, match=f"{file.name} cannot be read safely: it is damaged, or") as caught:
        Wav2Vec2(1, "wavlm", SMALL, pretrained=path)
    assert "weights_only" not in str(caught.value)


def test_weights_of_another_shape_are_named(folder):
    path, encoder = folder
    (Path(path) / "model.safetensors").unlink()
    weights = encoder.model.state_dict() | {"encoder.layer_norm.weight": torch.ones(3)}
    torch.save(weights, Path(path) / "pytorch_model.bin")
    with pytest.raises(WsedError, match=r"encoder.layer_norm.weight is \[3\], not \[16\]"):
        Wav2Vec2(1, "wavlm", SMALL, pretrained=path)


def test_settings_that_cannot_work_are_refused(transformers, monkeypatch):
    with pytest.raises(WsedError, match="give `frontend: waveform`"):
        Wav2Vec2(64)
    with pytest.raises(WsedError, match="did you mean wavlm"):
        Wav2Vec2(1, "wavml")
    with pytest.raises(WsedError, match=r"no setting 'hiden_size'.*did you mean hidden_size"):
        Wav2Vec2(1, config={"hiden_size": 16})
    with pytest.raises(WsedError, match="config of wav2vec2"):
        Wav2Vec2(1, config={"conv_dim": [8]})
    with pytest.raises(WsedError, match="config of wav2vec2"):
        Wav2Vec2(1, config={**SMALL, "num_attention_heads": 3})
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(WsedError, match=r"pip install 'wsed\[speech\]'"):
        Wav2Vec2(1)


def test_a_network_on_the_waveform(transformers):
    torch.manual_seed(0)
    network = Composed(wsed.Labels("abc"), lambda n: Wav2Vec2(n, config=SMALL), ClipAttention, Waveform(8000)).eval()
    assert network.frame_rate == 8000 / 20
    batch = testing.batch(3)
    n = int(batch.n_samples[-1])
    alone = testing.take(batch, torch.tensor([2]))
    alone = type(batch)(**{**vars(alone), "audio": alone.audio[:, :n]})
    with torch.no_grad():
        torch.testing.assert_close(network(batch).clip_logits[2:], network(alone).clip_logits, atol=1e-4, rtol=0)
    with torch.autocast("cpu", torch.bfloat16):
        network.train()(batch).clip_logits.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def test_transformers_is_imported_only_for_its_encoder():
    code = "import sys, wsed; wsed.components('encoder'); print('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_model_from_a_folder_trains_as_one_whose_weights_are_loaded_afterwards(folder):
    """Both are in train mode: else a resumed training would have other dropout."""
    for start in (nullcontext(), weights_are_loaded()):
        with start:
            encoder = Wav2Vec2(1, "wavlm", SMALL, folder[0])
        assert all(part.training for part in encoder.modules())


@pytest.mark.parametrize("build", [Wav2Vec2, WavLM, partial(Wav2Vec2, architecture="wav2vec2-conformer")])
def test_an_adapter_is_refused(transformers, build):
    with pytest.raises(WsedError, match=r"encoder \w+ has no adapter: leave add_adapter out of config"):
        build(1, config={**SMALL, "add_adapter": True})


def test_too_few_frames_are_an_error_and_one_is_repeated(transformers, monkeypatch):
    encoder, samples = Wav2Vec2(1, config=SMALL).eval(), torch.randn(2, 1, 100)
    valid, frames = torch.arange(100) < torch.tensor([[100], [60]]), encoder._frames
    whole = encoder(samples, None).frames
    for mask in (None, valid):
        monkeypatch.setattr(encoder, "_frames", lambda x: frames(x)[:, :-1])
        torch.testing.assert_close(encoder(samples, mask).frames[0], whole[0, [0, 1, 2, 3, 3]])
        monkeypatch.setattr(encoder, "_frames", lambda x: frames(x)[:, ::2])
        with pytest.raises(WsedError, match=r"encoder wav2vec2 gives [23] frames for a clip of [35]: its stride"):
            encoder(samples, mask)


def test_sew_takes_a_clip_of_one_frame(transformers):
    """It pools two frames into one; torch refused a single one."""
    encoder, sound = Wav2Vec2(1, "sew", SMALL).eval(), torch.randn(1, 1, 39)
    (alone,) = encoder(sound, None).frames
    assert alone.shape == (1, 16)
    assert alone.any()
    beside, valid = torch.randn(2, 1, 100), torch.arange(100) < torch.tensor([[100], [39]])
    beside[1, 0, :39] = sound[0, 0]
    torch.testing.assert_close(encoder(beside, valid).frames[1, :1], alone)
    assert encoder(torch.randn(1, 1, 40), None).frames.shape == (1, 2, 16)
