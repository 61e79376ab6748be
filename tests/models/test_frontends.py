"""Features against librosa, standardisation, and what frontends refuse."""

from dataclasses import replace

import lightning.pytorch  # noqa: F401  here: its log handler keeps the stderr it finds, which must not be a test's own
import lightning.pytorch as pl
import numpy as np
import pytest
import torch

import wsed
from wsed import Weighted, WsedError, testing
from wsed.build import build
from wsed.data.corpus.desed import DESED
from wsed.data.module import SEDDataModule
from wsed.losses.bce import ClipBCE
from wsed.models.encoders.waa import WAA
from wsed.models.fbank import FBank
from wsed.models.frontends import LogMel, Standardised, Waveform, waa_logmel
from wsed.models.heads.embedding import Embedding
from wsed.models.heads.mlp import MLP
from wsed.models.network import Composed


def test_features_equal_librosa_less_a_constant(golden):
    values, rate = golden("features")["mmnet_log1p_mel_128"], 44100
    t = np.arange(rate) / rate
    noise = 0.01 * np.random.RandomState(1).randn(rate)
    x = 0.3 * np.sin(2 * np.pi * 440 * t) + 0.2 * np.sin(2 * np.pi * (1000 + 1500 * t) * t) + noise
    frontend = LogMel(rate, 2048, 492, 128, 0.0, log_offset=1e-4)
    features, _ = frontend(torch.from_numpy(x.astype(np.float32))[None], torch.tensor([rate]))
    features = features[0].T + np.log(1e4)  # ln(1 + 1e4 mel)
    assert list(features.shape) == values["shape"]
    np.testing.assert_allclose(features[0, :4], values["first"], atol=1e-4)
    np.testing.assert_allclose(features[45, 10:14], values["mid"], atol=1e-4)
    assert features.sum().item() == pytest.approx(values["sum"], rel=1e-5)
    assert features.max().item() == pytest.approx(values["max"], abs=1e-4)
    assert features.min().item() == pytest.approx(values["min"], abs=1e-3)


TEN = wsed.Labels([f"class_{i}" for i in range(10)])


def network(head=MLP, frontend=None):
    return Composed(TEN, WAA, head, frontend or Standardised())


def signal(rate):
    """The signal of the golden features."""
    t = np.arange(rate) / rate
    noise = 0.01 * np.random.RandomState(1).randn(rate)
    x = 0.3 * np.sin(2 * np.pi * 440 * t) + 0.2 * np.sin(2 * np.pi * (1000 + 1500 * t) * t) + noise
    return torch.from_numpy(x.astype(np.float32))[None], torch.tensor([rate])


FPD = LogMel(16000, 2048, 255, 128, 0.0, 8000.0, power=1.0)


@pytest.mark.parametrize(("frontend", "name"), [(waa_logmel(), "waa_log_mel_64"), (FPD, "fpd_logmel_128_amplitude_db")])
def test_magnitude_features_equal_librosa(golden, frontend, name):
    values = golden("features")[name]
    features, valid = frontend(*signal(16000))
    assert list(features[0].T.shape) == values["shape"]
    assert valid.all()
    mid = values["shape"][0] // 2
    scale = 1e-3 if name.startswith("waa") else 1e-2
    np.testing.assert_allclose(features[0, :4, 0], values["first"], atol=scale)
    np.testing.assert_allclose(features[0, 10:14, mid], values["mid"], atol=scale)
    assert features.sum().item() == pytest.approx(values["sum"], rel=1e-4)
    assert features.abs().sum().item() == pytest.approx(values["abs_sum"], rel=1e-4)
    assert features.max().item() == pytest.approx(values["max"], abs=scale)
    assert features.min().item() == pytest.approx(values["min"], abs=scale)


def test_silence_and_padding_are_the_logarithm_of_the_offset():
    features, _ = waa_logmel()(torch.zeros(1, 3200), torch.tensor([1600]))
    torch.testing.assert_close(features, torch.full_like(features, np.log(0.01)))


def test_frontends_that_cannot_work_are_refused():
    with pytest.raises(WsedError, match="log_offset"):
        LogMel(log_offset=0.0)
    with pytest.raises(WsedError, match="no frames to measure"):
        Standardised().measure([])


def batches():
    for seed in range(3):
        batch = testing.batch(4, 10, sample_rate=16000, seed=seed)
        loud = torch.tensor([1.0, 3.0, 0.2, 0.5])[:, None]
        yield replace(batch, audio=batch.audio * loud)


@pytest.mark.parametrize("inner", [FBank(), LogMel(), Waveform()])
def test_frames_of_cached_features_are_those_of_the_frontend_that_is_standardised(inner):
    """Around `fbank`, a shorter clip in a batch had one frame more if its features were cached."""
    frontend = Standardised(inner)
    inputs = testing.batch(n_clips=2, sample_rate=frontend.sample_rate)
    n_samples = torch.tensor([frontend.sample_rate, frontend.sample_rate // 2])
    features, valid = frontend(inputs.samples(), n_samples)
    assert torch.equal(frontend.valid(n_samples, features.shape[2]), valid)


def test_standardised_features_have_mean_0_and_standard_deviation_1():
    frontend = Standardised()
    raw = [frontend(batch.audio, batch.n_samples) for batch in batches()]
    assert not frontend.learned
    frontend.measure(batches())
    assert frontend.learned
    seen, expected = [], torch.cat([f.transpose(1, 2)[valid] for f, valid in raw]).double()
    for batch in batches():
        features, valid = frontend(batch.audio, batch.n_samples)
        seen.append(features.transpose(1, 2)[valid])
    torch.testing.assert_close(frontend.mean.double(), expected.mean(0), atol=1e-5, rtol=0)
    torch.testing.assert_close(frontend.std.double(), expected.std(0, correction=0), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.cat(seen).mean(0), torch.zeros(64), atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.cat(seen).std(0), torch.ones(64), atol=1e-3, rtol=0)


def test_a_band_that_never_changes_stays_finite():
    frontend = Standardised()
    silent = replace(testing.batch(2, 10, sample_rate=16000), audio=torch.zeros(2, 16000))
    frontend.measure([silent])
    features, _ = frontend(silent.audio, silent.n_samples)
    torch.testing.assert_close(features, torch.zeros_like(features), atol=1e-5, rtol=0)


def test_a_network_of_a_checkpoints_configuration_takes_the_measured_values():
    def part(kind, name, **arguments):
        return {"class_path": f"wsed.models.{kind}.{name}", "init_args": arguments}

    inner = part("frontends", "LogMel", sample_rate=16000, hop_length=160, n_fft=512)
    parts = {"encoder": part("encoders", "waa.WAA"), "head": part("heads", "mlp.MLP")}
    config = part("network", "Composed", frontend=part("frontends", "Standardised", frontend=inner), **parts)
    system, other = build(wsed.Network, config, TEN), build(wsed.Network, config, TEN)
    system.frontend.measure(batches())
    other.load_state_dict(system.state_dict())
    assert other.frontend.learned
    assert torch.equal(other.frontend.mean, system.frontend.mean)
    assert other.frontend.frontend.hop_length == 160


def trained(corpus, folder, frontend, checkpoint=None, epochs=1):
    """A task after some steps on the corpus of tones."""
    labels = wsed.Labels(["high", "low"])
    system = Composed(labels, WAA, [Embedding, MLP], frontend)
    task = wsed.SEDTask(system, {"clips": Weighted(ClipBCE())})
    data = SEDDataModule(DESED(corpus, labels=list(labels)), {"weak": 4}, duration=1.0, workers=0)
    options = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(max_epochs=epochs, default_root_dir=folder, enable_checkpointing=False, **options)
    trainer.fit(task, data, ckpt_path=checkpoint, weights_only=True)
    return trainer, task


def test_training_measures_the_training_set_once(corpus, tmp_path, monkeypatch):
    inner = {"sample_rate": 8000, "n_fft": 256, "hop_length": 80, "n_bands": 32, "f_max": 4000.0}
    calls = []
    measure = Standardised.measure
    monkeypatch.setattr(Standardised, "measure", lambda self, batches: (calls.append(1), measure(self, batches))[1])
    trainer, task = trained(corpus, tmp_path, Standardised(LogMel(**inner)))
    frontend = task.network.frontend
    assert frontend.learned
    data = trainer.datamodule
    every = [frontend.frontend(b.audio, b.n_samples)[0].transpose(1, 2).flatten(0, 1) for b in data.train_dataloader()]
    torch.testing.assert_close(frontend.mean, torch.cat(every).mean(0), atol=1e-2, rtol=0)
    trainer.save_checkpoint(tmp_path / "a.ckpt")
    _, later = trained(corpus, tmp_path, Standardised(LogMel(**inner)), tmp_path / "a.ckpt", epochs=2)
    assert len(calls) == 1, "a checkpoint brings what was measured"
    assert torch.equal(later.network.frontend.mean, frontend.mean)


def test_without_a_data_module_a_frontend_must_be_measured_by_hand():
    task = wsed.SEDTask(network(), {"clips": Weighted(ClipBCE())})
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, max_epochs=1)
    with pytest.raises(WsedError, match=r"Standardised must see the training set.*frontend\.measure"):
        trainer.fit(task, *2 * [[testing.batch(2, 10, sample_rate=16000)]])


def test_log_mel_equals_librosa(golden):
    values = golden("features")["cosine_logmel_64_power_db_ref1"]
    rate = 22050
    t = np.arange(rate) / rate
    noise = 0.01 * np.random.RandomState(1).randn(rate)
    x = 0.3 * np.sin(2 * np.pi * 440 * t) + 0.2 * np.sin(2 * np.pi * (1000 + 1500 * t) * t) + noise
    features, valid = LogMel()(torch.from_numpy(x.astype(np.float32))[None], torch.tensor([rate]))
    assert list(features[0].T.shape) == values["shape"]
    assert valid.all()
    mid = values["shape"][0] // 2
    np.testing.assert_allclose(features[0, :4, 0], values["first"], atol=2e-3)
    np.testing.assert_allclose(features[0, 10:14, mid], values["mid"], atol=2e-3)
    assert features.sum().item() == pytest.approx(values["sum"], rel=1e-5)
    assert features.max().item() == pytest.approx(values["max"], abs=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"win_length": 0}, r"win_length must be from 1 to n_fft \(2048\), not 0"),
        ({"win_length": 2049}, r"win_length must be from 1 to n_fft \(2048\), not 2049"),
        ({"f_min": -1.0}, "f_min must be from 0 to below half the sample rate, not -1 Hz"),
        ({"f_min": 11025.0}, "f_min must be from 0 to below half the sample rate, not 11025 Hz"),
        ({"f_min": -1.0, "f_max": 8000.0}, "f_min must be from 0"),
        ({"sample_rate": 0}, "must be 1 or more"),
    ],
)
def test_settings_of_log_mel_out_of_their_range_are_refused(settings, message):
    with pytest.raises(WsedError, match=message):
        LogMel(**settings)
    assert LogMel(win_length=2048, f_min=0.0).n_bands == 64
