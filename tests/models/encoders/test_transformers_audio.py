"""Any audio model of transformers with its own feature extractor: small ones of several kinds, with random weights."""

import ast
import json
import re
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml

import wsed
from tests.models.cached import fit_counting
from wsed import WsedError, testing
from wsed.cli.main import main
from wsed.models.embeddings import Embeddings
from wsed.models.encoders.identity import Identity
from wsed.models.encoders.pretrained import random_and_frozen
from wsed.models.encoders.speech import Wav2Vec2
from wsed.models.encoders.transformers_audio import TransformersAudio
from wsed.models.frontends import Waveform
from wsed.models.network import Composed
from wsed.spec import spec_of

transformers = pytest.importorskip("transformers", reason="the extra speech is not installed")

ENDS = {"vocab_size": 20, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
SIZES = {"encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 16}
DECODER = {"decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 16}
CONFORMER = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16, "hidden_size": 16}
TOWER = {"d_model": 16, **SIZES, "max_source_positions": 50, "num_mel_bins": 16}
LANGUAGE = {"model_type": "qwen2", **CONFORMER, "num_key_value_heads": 2, "vocab_size": 20}

KINDS = {
    "speech_to_text": (  # mel bands, an encoder with a decoder
        {"d_model": 16, **SIZES, "conv_channels": 16, "pad_token_id": 0}, DECODER | ENDS, {}, "Speech2Text",
    ),
    "moonshine": (  # the waveform, convolutions without a margin
        {"hidden_size": 16, "intermediate_size": 16, "encoder_num_hidden_layers": 2, "encoder_num_attention_heads": 2,
         "pad_token_id": 0},
        {"decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2, **ENDS}, {}, "Wav2Vec2",
    ),
    "speecht5": (  # the waveform, normalised over time, with weights that are not used
        {"hidden_size": 16, **SIZES, "conv_dim": [8] * 7, "num_conv_pos_embedding_groups": 2,
         "num_conv_pos_embeddings": 16, "pad_token_id": 0}, DECODER | ENDS, {"do_normalize": True}, "SpeechT5",
    ),
    "parakeet_ctc": (  # a configuration in the configuration, a mask, batch norm
        {"encoder_config": {**CONFORMER, "subsampling_conv_channels": 8}}, {"vocab_size": 20, "pad_token_id": 0},
        {"feature_size": 80}, "Parakeet",
    ),
    "qwen2_audio": (  # a tower beside a language model; all clips are filled to one length, here 1 s
        {"audio_config": {"model_type": "qwen2_audio_encoder", **TOWER}}, {"text_config": LANGUAGE},
        {"feature_size": 16, "chunk_length": 1}, "Whisper",
    ),
    "seamless_m4t": (  # pairs of frames, and an adapter that shortens
        {"hidden_size": 16, "speech_encoder_layers": 1, "speech_encoder_attention_heads": 2,
         "speech_encoder_intermediate_size": 16, "feature_projection_input_dim": 32, **SIZES},
        {"vocab_size": 20, "t2u_vocab_size": 20, "unit_hifi_gan_vocab_size": 20, "vocoder_num_langs": 2,
         "vocoder_num_spkrs": 2, **DECODER, "t2u_encoder_layers": 1, "t2u_decoder_layers": 1, "t2u_encoder_ffn_dim": 8,
         "t2u_decoder_ffn_dim": 8, "t2u_encoder_attention_heads": 2, "t2u_decoder_attention_heads": 2,
         "upsample_initial_channel": 32, "unit_embed_dim": 8,
         "t2u_pad_token_id": 1},
        {"feature_size": 16, "num_mel_bins": 16}, "SeamlessM4T",
    ),
}  # fmt: skip
"""For each architecture: the settings of its encoder, those of the rest, those of its extractor, and its class."""

FRAMES = {"speech_to_text": (25.0, 0), "moonshine": (16000 / 384, 1), "speecht5": (50.0, 0), "parakeet_ctc": (12.5, 0)}
FRAMES |= {"qwen2_audio": (25.0, 0), "seamless_m4t": (6.25, 0)}
"""Frames per second, and those that are missing at the beginning."""

TASKS = {
    "moonshine": "AutoModelForSpeechSeq2Seq",
    "parakeet_ctc": "AutoModelForCTC",
    "speecht5": "SpeechT5ForSpeechToText",
}
"""Models for a task; the others are saved as `AutoModel` gives them."""


def noise(seconds, rate=16000, clips=1):
    return 0.1 * torch.randn(clips, round(seconds * rate), generator=torch.Generator().manual_seed(0))


def encoder_of(kind, folder=None, **options):
    config, _, extractor, _ = KINDS[kind]
    return TransformersAudio(1, kind, config, extractor, folder, **options)


def whole_model(kind):
    """The whole model with random weights, as transformers builds it, and its part for sound."""
    config, rest, _, _ = KINDS[kind]
    torch.manual_seed(0)
    settings = transformers.AutoConfig.for_model(kind, **config, **rest)
    task = TASKS.get(kind, "AutoModel")
    build = getattr(transformers, task)
    model = (build.from_config if task.startswith("Auto") else build)(settings).eval()
    inner = dict(model.named_modules())
    names = ("audio_tower", "speech_encoder", "speecht5.encoder", "model.encoder", "encoder")
    return model, next(inner[name] for name in names if name in inner)


@pytest.fixture(scope="module", params=sorted(KINDS))
def saved(request, tmp_path_factory):
    """A kind, its folder of `save_pretrained`, and its part for sound."""
    folder = tmp_path_factory.mktemp(request.param)
    model, part = whole_model(request.param)
    model.save_pretrained(folder)
    _, _, extractor, name = KINDS[request.param]
    getattr(transformers, f"{name}FeatureExtractor")(**extractor).save_pretrained(folder)
    return request.param, str(folder), part


@pytest.fixture(scope="module")
def simple(tmp_path_factory):
    """A folder with a small speech_to_text."""
    folder = tmp_path_factory.mktemp("simple")
    whole_model("speech_to_text")[0].save_pretrained(folder)
    transformers.Speech2TextFeatureExtractor().save_pretrained(folder)
    return str(folder)


def theirs(kind, part, audio):
    """What transformers gives for one clip, called as its documentation says."""
    _, _, settings, name = KINDS[kind]
    extractor = getattr(transformers, f"{name}FeatureExtractor")(**settings)
    inputs = extractor(audio.numpy(), sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        return part(**inputs).last_hidden_state


def test_frames_are_those_of_transformers(saved):
    kind, folder, part = saved
    encoder = encoder_of(kind, folder, freeze=True)
    rate, missing = FRAMES[kind]
    assert (16000 / encoder.stride, encoder.grid.missing, encoder.dim) == (rate, missing, 16)
    for seconds in (0.5, 1.0, 2.3):
        audio = noise(seconds)
        frames = encoder(audio[:, None], None).frames
        assert frames.shape == (1, audio.shape[1] // encoder.stride, 16)
        pieces = audio.split(16000, dim=1) if kind == "qwen2_audio" else [audio]
        n = [piece.shape[1] // encoder.stride for piece in pieces]
        expected = torch.cat([theirs(kind, part, x[0])[:, :m] for x, m in zip(pieces, n, strict=True)], dim=1)
        expected = expected[:, : frames.shape[1] - missing]
        given = frames[:, missing : missing + expected.shape[1]]
        assert expected.shape[1] >= frames.shape[1] - missing - 1
        torch.testing.assert_close(given, expected, atol=1e-5, rtol=1e-5)
        assert given.std(1).min() > 1e-3  # frames differ


def test_padding_and_neighbours_change_nothing(saved):
    kind, folder, _ = saved
    encoder = encoder_of(kind, folder).eval()
    lengths = [24000, 16700, encoder.stride + 3, encoder.stride - 1, 0]
    audio = noise(1.5, clips=5)
    valid = torch.arange(24000) < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        together = encoder(audio[:, None], valid)
        assert together.valid.sum(1).tolist() == [n // encoder.stride for n in lengths]
        assert torch.isfinite(together.frames).all()
        for i, n in enumerate(lengths[:3]):
            alone = encoder(audio[i : i + 1, None, :n], None)
            assert alone.valid.all()
            torch.testing.assert_close(
                together.frames[i : i + 1, : n // encoder.stride], alone.frames, atol=1e-4, rtol=0
            )


def test_weights_get_gradients_and_come_from_the_folder(saved):
    kind, folder, part = saved
    encoder = encoder_of(kind, folder)
    loaded, own = encoder.model.state_dict(), part.state_dict()
    unused = {"prenet.masked_spec_embed"} if kind == "speecht5" else set()  # nothing is masked
    assert loaded.keys() == own.keys() - unused
    assert all(torch.equal(loaded[name], own[name]) for name in loaded)
    encoder.train()(noise(1.0)[:, None].expand(2, -1, -1), None).frames.square().sum().backward()
    trained = {name for name, weights in encoder.named_parameters() if weights.requires_grad}
    assert all(torch.isfinite(weights.grad).all() for name, weights in encoder.named_parameters() if name in trained)
    others = {name for name, _ in encoder.named_parameters()} - trained
    assert others == ({"model.embed_positions.weight"} if kind == "qwen2_audio" else set())


def test_a_checkpoint_needs_no_folder(saved):
    kind, folder, _ = saved
    encoder, other = encoder_of(kind, folder).eval(), encoder_of(kind).eval()
    assert "pretrained" not in spec_of(encoder).init_args
    other.load_state_dict(encoder.state_dict())
    with torch.no_grad():
        one, same = (each(noise(1.0)[:, None], None).frames for each in (encoder, other))
    assert torch.equal(one, same)


def test_a_folder_with_other_settings_is_refused_with_those_to_give(saved):
    kind, folder, _ = saved
    found = {}
    for _ in range(3):  # as a user does it: no settings, those of the first message, those of the second one
        try:
            encoder = TransformersAudio(1, kind, found.get("config"), found.get("extractor"), folder)
        except WsedError as error:
            what, settings = re.search(r"give `(config|extractor): (\{.*\})`$", str(error)).groups()
            assert what not in found
            found[what] = ast.literal_eval(settings)
    assert (encoder.dim, encoder.pretrained) == (16, True)
    assert ("extractor" in found) == (kind in ("qwen2_audio", "seamless_m4t", "speecht5"))


def test_a_frozen_encoder_stays_as_it_is(simple):
    encoder = encoder_of("speech_to_text", simple, freeze=True)
    assert not any(weights.requires_grad for weights in encoder.parameters())
    assert not encoder.train().model.training
    assert random_and_frozen(encoder) == []
    assert random_and_frozen(encoder_of("speech_to_text", freeze=True)) == ["encoder transformers"]
    with torch.no_grad():
        encoder = encoder_of("speech_to_text", simple)
    assert encoder.model.training
    assert all(weights.requires_grad for weights in encoder.parameters())


def test_only_the_waveform_as_it_is_will_do(simple):
    labels, encoder = wsed.Labels("ab"), partial(encoder_of, "speech_to_text", simple)
    network = Composed(labels, lambda n_bands: encoder(), frontend=Waveform(normalise=False))
    assert network.frame_rate == 25
    for wrong in (Waveform(), Waveform(8000, normalise=False)):
        with pytest.raises(
            WsedError, match=r"give `frontend: \{class_path: waveform, init_args: \{normalise: False\}\}`"
        ):
            Composed(labels, lambda n_bands: encoder(), frontend=wrong)
    with pytest.raises(WsedError, match="takes the waveform, not 64 bands; give `frontend: waveform`"):
        TransformersAudio(64, "speech_to_text")


def test_silence_has_finite_frames(saved):
    kind, folder, _ = saved
    assert torch.isfinite(encoder_of(kind, folder, freeze=True)(torch.zeros(1, 1, 16000), None).frames).all()


def test_a_clip_of_which_the_extractor_cuts_a_part_is_refused(monkeypatch):
    encoder = TransformersAudio.example()[0](1).eval()
    given = TransformersAudio._given
    monkeypatch.setattr(TransformersAudio, "_given", lambda self, audio: given(self, audio[:, :1000]))
    assert encoder(noise(1.0, 1000)[:, None], None).frames.shape[1] == 50
    with pytest.raises(
        WsedError, match=r"speech_to_text gives frames for 1.0 s of a clip of 2.0 s; give shorter clips"
    ):
        encoder(noise(2.0, 1000)[:, None], None)


REFUSED = {
    "whisper": "whisper has an encoder of its own: give `encoder: whisper`",
    "sew": r"sew has an encoder of its own: give `encoder: \{class_path: wav2vec2, init_args: \{architecture: sew\}\}`",
    "bert": r"no feature extractor for bert; if it reads sound, give `extractor: \{feature_extractor_type",
    "encodec": "encodec is a codec: it gives codes and sound, not frames",
    "moonshin": r"no architecture 'moonshin' \(did you mean moonshine",
    "pop2piano": "extractor: Pop2PianoFeatureExtractor: .*essentia",
    "univnet": "univnet gives no frames, .* but waveforms, waveform_lengths for 1 x 1 s of sound",
    "clvp": "clvp has no part that reads sound alone",
    "musicgen": "transformers cannot build a musicgen from its configuration",
}


@pytest.mark.parametrize("architecture", sorted(REFUSED))
def test_architectures_that_cannot_work_are_refused(architecture):
    with pytest.raises(WsedError, match=REFUSED[architecture]):
        TransformersAudio(1, architecture)


def test_settings_that_do_not_exist_are_refused():
    make = partial(TransformersAudio, 1)
    with pytest.raises(WsedError, match=r"speech_to_text has no setting 'd_modl' in its config \(did you mean d_model"):
        make("speech_to_text", {"d_modl": 16})
    with pytest.raises(WsedError, match=r"encoder_config of parakeet_ctc has no setting 'hidden_sise'"):
        make("parakeet_ctc", {"encoder_config": {"hidden_sise": 16}})
    with pytest.raises(WsedError, match="encoder_config of parakeet_ctc must be settings by name, not 16"):
        make("parakeet_ctc", {"encoder_config": 16})
    with pytest.raises(
        WsedError, match=r"Speech2TextFeatureExtractor has no setting 'num_mel' \(did you mean num_mel_bins"
    ):
        make("speech_to_text", None, {"num_mel": 40})
    with pytest.raises(
        WsedError, match=r"no feature extractor 'WhisperExtractor' \(did you mean WhisperFeatureExtractor"
    ):
        make("speech_to_text", None, {"feature_extractor_type": "WhisperExtractor"})
    with pytest.raises(
        WsedError, match=r"with Speech2TextFeatureExtractor cannot take 1 s of sound; .* fit: RuntimeError"
    ):
        make("speech_to_text", KINDS["speech_to_text"][0], {"num_mel_bins": 40, "feature_size": 40})
    with pytest.raises(WsedError, match="config of speech_to_text: embed_dim must be divisible by num_heads"):
        make("speech_to_text", {**KINDS["speech_to_text"][0], "encoder_attention_heads": 3})


def test_weights_that_do_not_fit_are_refused(simple, tmp_path):
    with pytest.raises(WsedError, match=r"holds a speech_to_text; give `encoder: .*transformers.*speech_to_text"):
        encoder_of("moonshine", simple)
    with pytest.raises(WsedError, match=r"holds a speech_to_text; give `encoder: .*transformers.*speech_to_text"):
        Wav2Vec2(1, pretrained=simple)
    with pytest.raises(WsedError, match="no such folder"):
        encoder_of("speech_to_text", str(tmp_path / "none"))
    folder = shutil.copytree(simple, tmp_path / "copy")
    file = folder / "model.safetensors"
    weights = transformers.AutoModel.from_pretrained(folder).state_dict()
    file.unlink()
    torch.save({k: v for k, v in weights.items() if "layers.1.fc1" not in k}, folder / "pytorch_model.bin")
    with pytest.raises(WsedError, match=r"lack layers.1.fc1.bias, layers.1.fc1.weight"):
        encoder_of("speech_to_text", str(folder))
    torch.save({**weights, "encoder.layer_norm.weight": torch.ones(3)}, folder / "pytorch_model.bin")
    with pytest.raises(WsedError, match=r"layer_norm.weight is \[3\], not \[16\]"):
        encoder_of("speech_to_text", str(folder))
    torch.save({**weights, "more": Path("x")}, folder / "pytorch_model.bin")
    with pytest.raises(WsedError, match=r"pytorch_model.bin cannot be read safely"):
        encoder_of("speech_to_text", str(folder))


def test_another_class_of_extractor_in_the_folder_is_named(simple, tmp_path):
    folder = shutil.copytree(simple, tmp_path / "copy")
    file = folder / "preprocessor_config.json"
    facts = json.loads(file.read_text())
    file.write_text(json.dumps(facts | {"feature_extractor_type": "ParakeetFeatureExtractor", "n_fft": 1024}))
    with pytest.raises(WsedError, match=r"give `extractor: \{.*'n_fft': 1024.*'feature_extractor_type': 'Parakeet"):
        encoder_of("speech_to_text", str(folder))
    file.unlink()  # then nothing is known of it
    assert encoder_of("speech_to_text", str(folder)).pretrained


def spec(folder=None, **options):
    config = KINDS["speech_to_text"][0]
    weights = {} if folder is None else {"pretrained": folder}
    return {
        "class_path": "transformers",
        "init_args": {"architecture": "speech_to_text", "config": config} | weights | options,
    }


FRONTEND = {"class_path": "waveform", "init_args": {"normalise": False}}


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.filterwarnings("ignore:Found .* in eval mode")
def test_a_training_from_yaml(simple, corpus, tmp_path, cached):
    """Fine-tuned, or frozen and cached; the checkpoint is opened without the folder."""
    folder = shutil.copytree(simple, tmp_path / "weights")
    encoder, frontend = spec(str(folder)), FRONTEND
    if cached:
        frontend = {"class_path": "embeddings", "init_args": {"frontend": FRONTEND, "encoder": encoder}}
        encoder = "identity"
    data = {"corpus": {"class_path": "desed", "init_args": {"root": str(corpus), "labels": ["high", "low"]}}}
    data |= {"batch": {"weak": 4}, "duration": 1.0, "workers": 0}
    if cached:
        data["reader"] = {"class_path": "features", "init_args": {"folder": str(tmp_path / "features")}}
    network = {"frontend": frontend, "encoder": encoder, "head": "framewise"}
    row = {"model": {"network": network, "losses": {"tags": {"loss": "clip_bce"}}}, "data": data}
    row["trainer"] = {"max_steps": 2, "accelerator": "cpu", "default_root_dir": str(tmp_path / "run")}
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(row))
    assert main(["fit", "--config", str(tmp_path / "exp.yaml")]) == 0
    shutil.rmtree(folder)
    detector = wsed.load(tmp_path / "run" / "checkpoints" / "best.ckpt")
    assert detector.scores(noise(2.0)[0].numpy()).frames.shape == (50, 2)
    before = transformers.AutoModel.from_pretrained(simple).encoder.state_dict()
    after = detector.network.frontend.encoder if cached else detector.network.encoder
    kept = [torch.equal(before[name], value) for name, value in after.model.state_dict().items()]
    assert all(kept) if cached else not any(kept[:-2])


@pytest.mark.filterwarnings("ignore:Found .* in eval mode")
def test_no_epoch_runs_a_frozen_encoder_whose_output_is_cached(simple, corpus, tmp_path, monkeypatch):
    labels = wsed.Labels(["high", "low"])
    factory = partial(
        TransformersAudio, architecture="speech_to_text", config=KINDS["speech_to_text"][0], pretrained=simple
    )
    frontend = Embeddings(factory, Waveform(normalise=False))
    network = Composed(labels, Identity, frontend=frontend)
    runs, before_epoch, data = fit_counting(monkeypatch, TransformersAudio, network, corpus, tmp_path / "cache")
    assert runs == before_epoch[0] == before_epoch[1] > 0
    batch = next(iter(data.train_dataloader()))
    assert batch.features.shape == (4, 16, 25)
    n_samples = torch.tensor([16000, 9000, 639, 0])
    features, valid = frontend(noise(1.0, clips=4), n_samples)
    assert torch.equal(frontend.valid(n_samples, features.shape[2]), valid)


def test_the_contract_of_an_encoder_holds_for_the_example():
    build, frontend = TransformersAudio.example()
    testing.check_encoder(build, 1, 600)
    assert (frontend.sample_rate, build(1).stride) == (1000, 20)
