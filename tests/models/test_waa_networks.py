"""The networks and features of Turpault et al. 2020: windows, embeddings, classifier, standardisation."""

from dataclasses import replace

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
from wsed.losses.prototypical import Prototypical
from wsed.losses.triplet import Triplet
from wsed.models.encoders.waa import WAA
from wsed.models.frontends import LogMel, Standardised, waa_logmel
from wsed.models.heads.embedding import Embedding, aggregate
from wsed.models.heads.mlp import MLP
from wsed.models.network import Composed
from wsed.types import Encoded

TEN = wsed.Labels([f"class_{i}" for i in range(10)])


def count(module):
    return sum(p.numel() for p in module.parameters())


def network(head=MLP, frontend=None):
    return Composed(TEN, WAA, head, frontend or Standardised())


def test_sizes_are_those_of_the_authors_code(golden):
    sizes = golden("param_counts")["waa"]
    encoder = WAA(64)
    assert count(encoder) == sizes["embedding"]
    assert encoder.dim == sizes["embedding_dim"]
    assert count(MLP(encoder.dim, 10)) == sizes["classifier"]
    assert count(Embedding(encoder.dim, 10)) == 0


@pytest.mark.parametrize("seconds", ["0.2", "1", "10"])
def test_frames_and_windows_of_the_papers_segments(golden, seconds):
    frames = golden("param_counts")["frames"]["waa"]["used"][seconds]
    batch = testing.batch(2, 10, float(seconds), 16000)
    batch = replace(batch, n_samples=torch.full((2,), batch.audio.shape[1]))
    output = network().eval()(batch)
    assert output.valid.shape == (2, frames // 20)
    assert output.valid.all()
    assert (output.clip_logits.shape, output.clip_embedding.shape) == ((2, 10), (2, 130))
    assert output.frame_rate == 5


def by_hand(encoder, window, normalise=False):
    """The embedding of one window `[band frame]`, layer by layer, its dimensions band by band."""
    convolutions = [layer for layer in encoder.layers if isinstance(layer, torch.nn.Conv2d)]
    x = window.T[None, None]
    for layer, pool in zip(convolutions, [(2, 2), (2, 2), (1, 4), (1, 2)], strict=True):
        x = torch.nn.functional.conv2d(x, layer.weight, layer.bias, padding=1)
        x = torch.nn.functional.max_pool2d(torch.where(x > 0, x, 0.2 * x), pool)
    assert x.shape == (1, 65, 5, 2)
    steps = torch.stack([x[0, index % 65, :, index // 65] for index in range(130)], 1)
    if normalise:
        steps = steps / steps.norm(dim=1, keepdim=True)
    return steps.mean(0)


@pytest.mark.parametrize("normalise", [False, True])
def test_each_window_is_embedded_by_itself(normalise):
    torch.manual_seed(0)
    encoder = WAA(64, normalise).eval()
    features = torch.randn(2, 64, 59)
    encoded = encoder(features, torch.ones(2, 59, dtype=torch.bool))
    assert encoded.frames.shape == (2, 2, 130)
    for clip in range(2):
        for window in range(2):
            expected = by_hand(encoder, features[clip, :, 20 * window : 20 * window + 20], normalise)
            torch.testing.assert_close(encoded.frames[clip, window], expected)


class Steps(torch.nn.Module):
    """Stands for the layers of the encoder: gives these steps `[step dim]`, whatever it is given."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def forward(self, x):
        return self.steps.T[None, :, :, None]


def test_golden_order_of_mean_and_normalisation(golden):
    values = golden("waa_metrics")["normalise_order"]
    given = torch.zeros(1, 64, 20), torch.ones(1, 20, dtype=torch.bool)
    found = {}
    for name, per_step in (("normalise_then_mean", True), ("mean_then_normalise", False)):
        encoder = WAA(64, normalize_steps=per_step)
        encoder.layers, encoder.dim = Steps(torch.tensor(values["frames"])), 2
        found[name] = encoder(*given).frames[0, 0]
    found["mean_then_normalise"] = torch.nn.functional.normalize(found["mean_then_normalise"], dim=0)
    for name, embedding in found.items():
        torch.testing.assert_close(embedding, torch.tensor(values[name]), atol=1e-6, rtol=0)


def test_too_few_bands_or_frames_are_refused():
    assert WAA(32).dim == 65
    with pytest.raises(WsedError, match="leave nothing of 31 bands"):
        WAA(31)
    with pytest.raises(WsedError, match="19 frames are less than one window"):
        WAA(64)(torch.zeros(1, 64, 19), torch.ones(1, 19, dtype=torch.bool))


def slow_aggregate(frames, valid, how):
    kept = [h for h, v in zip(frames, valid, strict=True) if v]
    if not kept:
        return torch.zeros_like(frames[0])
    if how == "mean":
        return sum(kept) / len(kept)
    if how == "max":
        return torch.stack([max(h[d] for h in kept) for d in range(len(kept[0]))])
    weights = [h.exp() for h in kept]
    return sum(w * h for w, h in zip(weights, kept, strict=True)) / sum(weights)


@pytest.mark.parametrize("how", ["mean", "attention", "max"])
def test_aggregation_over_the_valid_frames(how):
    torch.manual_seed(0)
    frames = torch.randn(3, 6, 4)
    valid = torch.arange(6).expand(3, 6) < torch.tensor([[6], [4], [0]])
    frames[1, 4:] = torch.nan
    leaf = frames.requires_grad_()
    found = aggregate(leaf, valid, how)
    for i in range(3):
        torch.testing.assert_close(found[i], slow_aggregate(frames[i], valid[i], how))
    found.sum().backward()
    assert torch.isfinite(leaf.grad).all()
    assert leaf.grad[1, 4:].abs().max() == 0
    encoded = Encoded(torch.randn(2, 6, 4), torch.ones(2, 6, dtype=torch.bool))
    torch.testing.assert_close(
        MLP(4, 3, aggregation=how)(encoded).clip_embedding, Embedding(4, 3, how)(encoded).clip_embedding
    )


def test_gated_aggregation_learns_which_frames_count():
    torch.manual_seed(0)
    head = Embedding(4, 3, "gated")
    frames = torch.randn(3, 6, 4)
    valid = torch.arange(6).expand(3, 6) < torch.tensor([[6], [4], [0]])
    frames[1, 4:] = torch.nan
    leaf = frames.requires_grad_()
    found = head(Encoded(leaf, valid)).clip_embedding
    gate = head.aggregate.gate
    for i, n in enumerate((6, 4)):
        weights = [float((h @ gate.weight[0] + gate.bias).exp().detach()) for h in frames[i, :n]]
        expected = sum(w * h for w, h in zip(weights, frames[i, :n], strict=True)) / sum(weights)
        torch.testing.assert_close(found[i], expected)
    assert found[2].abs().max() == 0
    found.sum().backward()
    assert leaf.grad[1, 4:].abs().max() == 0
    for gradient in (leaf.grad, gate.weight.grad):
        assert torch.isfinite(gradient).all()
    assert gate.weight.grad.abs().max() > 0


def test_channels_of_a_search():
    assert WAA(64, channels=(8, 8, 16, 32)).dim == 64
    with pytest.raises(WsedError, match="four numbers of 1 or more"):
        WAA(64, channels=(8, 8, 16))


def test_an_unknown_aggregation_is_refused():
    for head in (Embedding, MLP):
        with pytest.raises(WsedError, match="did you mean attention"):
            head(4, 3, aggregation="atention")


def test_head_and_classifier_on_one_encoder_share_the_embedding():
    system = network([Embedding, MLP]).eval()
    output = system(testing.batch(2, 10, sample_rate=16000))
    expected = system.heads[1].layers(output.clip_embedding)
    torch.testing.assert_close(output.clip_logits, expected)
    assert system.provides >= {"clip_logits", "clip_embedding", "embeddings"}


@pytest.mark.parametrize("aggregation", ["mean", "attention", "max", "gated"])
def test_a_clip_does_not_depend_on_the_padding_of_its_neighbours(aggregation):
    torch.manual_seed(0)
    system = network(lambda d, n: MLP(d, n, aggregation=aggregation)).eval()
    batch = testing.batch(3, 10, sample_rate=16000)
    n = int(batch.n_samples[-1])
    alone = testing.take(batch, torch.tensor([2]))
    alone = type(batch)(**{**vars(alone), "audio": alone.audio[:, :n]})
    with torch.no_grad():
        together, alone = system(batch), system(alone)
    assert not together.valid.all()
    torch.testing.assert_close(together.clip_embedding[2:], alone.clip_embedding, atol=1e-5, rtol=0)
    torch.testing.assert_close(together.clip_logits[2:], alone.clip_logits, atol=1e-5, rtol=0)


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


@pytest.mark.parametrize("loss", [Triplet(), Prototypical(), ClipBCE()])
def test_bfloat16_stays_near_float32_and_gives_finite_gradients(loss):
    torch.manual_seed(0)
    system = network().eval()
    of = testing.batch(9, 10, sample_rate=16000)
    of = replace(of, clip_labels=torch.eye(10)[torch.arange(9) % 3])
    with torch.no_grad():
        exact = system(of)
    with torch.autocast("cpu", torch.bfloat16):
        output = system(of)
        value = loss(output, of)
    torch.testing.assert_close(output.clip_scores, exact.clip_scores, atol=0.05, rtol=0)
    assert value > 0
    value.backward()
    assert all(torch.isfinite(p.grad).all() for p in system.encoder.parameters())
    assert any(p.grad.any() for p in system.encoder.parameters())


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
