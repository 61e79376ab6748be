"""Networks of several heads: padding, precision, and what is refused."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch

import wsed
from wsed import WsedError, testing
from wsed.build import build
from wsed.data.corpus.desed import DESED
from wsed.data.module import SEDDataModule
from wsed.losses import functional as F
from wsed.models.encoders.cnn import CNN
from wsed.models.encoders.crnn import CRNN
from wsed.models.frontends import LogMel
from wsed.models.heads.attention import Attention
from wsed.models.heads.clip_attention import ClipAttention
from wsed.models.heads.framewise import Framewise
from wsed.models.heads.tagging import Tagging
from wsed.models.network import Composed
from wsed.models.teacher import MeanTeacher
from wsed.ops import host
from wsed.registry import registry

LABELS = wsed.Labels("abc")


MELS = {"sample_rate": 16000, "n_fft": 2048, "hop_length": 255, "n_bands": 128, "f_min": 0.0, "f_max": 8000.0}


def part(kind, name, **arguments):
    return {"class_path": f"wsed.models.{kind}.{name}", "init_args": arguments}


def network(encoder, heads=None):
    """A network as a checkpoint's configuration tells it."""
    heads = heads or [part("heads", "clip_attention.ClipAttention"), part("heads", "projection.Projection", size=8)]
    parts = {"encoder": encoder, "head": heads, "frontend": part("frontends", "LogMel", **MELS)}
    return build(wsed.Network, part("network", "Composed", **parts), LABELS)


SIZES = {"channels": 160, "kernels": [5, 5, 3], "dropout": 0.0}
"""Of the encoder in `experiments/fpd`."""


NETWORKS = [
    part("encoders", "cnn.CNN", **SIZES | {"channels": 4}),
    part("encoders", "cnn.CNN", **SIZES | {"channels": 4, "pools": [[2, 4], [2, 4], [1, 4]]}),
    part("encoders", "conformer.Conformer", dim=8, layers=2, channels=4, pools=[[2, 4], [1, 4]]),
]


def test_ten_seconds_are_as_many_frames_as_the_papers_features(golden):
    batch = testing.batch(2, 3, seconds=10.0, sample_rate=16000)
    output = network(NETWORKS[0]).eval()(batch)
    assert output.frame_logits.shape == (2, golden("param_counts")["frames"]["fpd"]["centred"], 3)


@pytest.mark.parametrize("encoder", NETWORKS)
def test_embeddings_do_not_depend_on_the_padding_of_neighbours(encoder):
    torch.manual_seed(0)
    system = network(encoder).eval()
    batch = testing.batch(3, sample_rate=16000)
    n = int(batch.n_samples[-1])
    alone = testing.take(batch, torch.tensor([2]))
    alone = type(batch)(**{**vars(alone), "audio": alone.audio[:, :n]})
    with torch.no_grad():
        together, alone = system(batch), system(alone)
    m = int(alone.valid.sum())
    assert not together.valid.all()
    torch.testing.assert_close(together.clip_logits[2:], alone.clip_logits, atol=1e-4, rtol=0)
    for field in ("frame_logits", "embeddings", "attention"):
        torch.testing.assert_close(getattr(together, field)[2:, :m], getattr(alone, field)[:, :m], atol=1e-4, rtol=0)


@pytest.mark.parametrize("encoder", NETWORKS)
def test_bfloat16_stays_near_float32_and_weights_go_round(encoder):
    torch.manual_seed(0)
    system, other = network(encoder).eval(), network(encoder).eval()
    other.load_state_dict(system.state_dict())
    batch = testing.batch(2, sample_rate=16000)
    exact = system(batch)
    torch.testing.assert_close(other(batch).clip_logits, exact.clip_logits)
    with torch.autocast("cpu", torch.bfloat16):
        output = system(batch)
    torch.testing.assert_close(output.clip_scores, exact.clip_scores, atol=0.05, rtol=0)
    (output.clip_logits.sum() + output.embeddings.float().square().mean()).backward()
    assert all(torch.isfinite(p.grad).all() for p in system.parameters() if p.grad is not None)


TEN = wsed.Labels([f"class_{i}" for i in range(10)])


NOTEBOOK = {"channels": [64, 128, 256], "pools": [(2, 4), (1, 4), (1, 4)]}
"""The larger tagging network, of the authors' notebook."""


def test_several_heads_join_and_a_later_one_wins():
    network = Composed(TEN, CRNN, [lambda d, n: Framewise(d, n, "max"), lambda d, n: Framewise(d, n, "mean")])
    output = network.eval()(testing.batch(2, 10, sample_rate=22050))
    assert torch.all(output.clip_scores <= output.frame_scores.amax(1) + 1e-6)
    assert len(network.heads) == 2


AT = [
    lambda labels: Composed(labels, CNN, Tagging),
    lambda labels: Composed(labels, partial(CNN, **NOTEBOOK), Tagging),
]


ATT = [
    lambda labels: Composed(labels, lambda n: CRNN(n, "glu"), Attention),
    lambda labels: Composed(labels, CNN, lambda d, n: Attention(d, n, "time", "product")),
]


BOTH = [lambda labels: Composed(labels, CRNN, [Framewise, lambda d, n: Tagging(d, n, 32)])]


@pytest.mark.parametrize("build", [*AT, *ATT, *BOTH])
def test_a_clip_does_not_depend_on_the_padding_of_its_neighbours(build):
    torch.manual_seed(0)
    network = build(TEN).eval()
    batch = testing.batch(3, 10, sample_rate=network.sample_rate)
    n = int(batch.n_samples[-1])
    alone = testing.take(batch, torch.tensor([2]))
    alone = type(batch)(**{**vars(alone), "audio": alone.audio[:, :n]})
    with torch.no_grad():
        together, alone = network(batch), network(alone)
    assert not together.valid.all()
    torch.testing.assert_close(together.clip_logits[2:], alone.clip_logits, atol=1e-4, rtol=0)
    if together.frame_logits is not None:
        m = int(alone.valid.sum())
        torch.testing.assert_close(together.frame_logits[2:, :m], alone.frame_logits[:, :m], atol=1e-4, rtol=0)


@pytest.mark.parametrize("build", [*AT, *ATT, *BOTH])
def test_bfloat16_stays_near_float32_and_gives_finite_gradients(build):
    torch.manual_seed(0)
    network = build(TEN).eval()
    batch = testing.batch(2, 10, sample_rate=network.sample_rate)
    with torch.no_grad():
        exact = network(batch)
    with torch.autocast("cpu", torch.bfloat16):
        output = network(batch)
        loss = F.clip_bce(output.clip_scores, batch.clip_labels)
    torch.testing.assert_close(output.clip_scores, exact.clip_scores, atol=0.05, rtol=0)
    loss.backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert gradients
    assert all(torch.isfinite(g).all() for g in gradients)


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(WsedError, match="leave nothing of 8 bands"):
        CRNN(8)
    with pytest.raises(WsedError, match="f_max"):
        LogMel(16000, f_max=11025.0)
    with pytest.raises(WsedError, match="unknown pooling"):
        Framewise(4, 2, pooling="maxx")


SHORT = {"encoder": partial(CNN, channels=4, pools=[(8, 4)]), "frontend": LogMel(8000, 256, 160, 64, 20.0)}


def of_lengths(*lengths, rate=8000):
    batch = testing.batch(len(lengths), 3, seconds=1.0, sample_rate=rate)
    audio = batch.audio[:, : max(lengths)]
    return replace(batch, audio=audio, n_samples=torch.tensor(lengths), full=0 < min(lengths) == max(lengths))


@pytest.mark.parametrize("head", [Framewise, ClipAttention, Tagging])
def test_a_clip_shorter_than_one_frame_is_refused_alone_and_beside_others(head):
    network = Composed(LABELS, head=head, **SHORT).eval()
    said = r"clip_\d\.wav: 0\.0625 s \(500 samples\) are shorter than one frame of the network \(0\.16 s\); leave such"
    for lengths in ([500], [8000, 500], [500, 500]):
        with pytest.raises(WsedError, match=said):
            network(of_lengths(*lengths))
    with pytest.raises(WsedError, match=r": 0 s \(0 samples\) are shorter"):
        network(of_lengths(0, 0))
    assert network(of_lengths(8000, 1120)).valid.sum(1).tolist() == [6, 1]
    assert network(of_lengths(8000, 0)).valid.sum(1).tolist()[1] == 0  # a filler


def test_on_an_accelerator_the_data_module_refuses_it_before_the_batch_is_there(monkeypatch):
    """There, lengths cannot be read without waiting; the shape of the batch can."""
    network, batches = Composed(LABELS, **SHORT).eval(), [of_lengths(8000, 500), of_lengths(500, 500)]
    system = MeanTeacher(LABELS, partial(Composed, **SHORT))
    data = SEDDataModule(DESED("missing", test=None), {"weak": 4})
    data.trainer = SimpleNamespace(lightning_module=SimpleNamespace(network=system, needs={}))
    for batch in batches:
        with pytest.raises(WsedError, match="500 samples"):
            data.transfer_batch_to_device(batch, torch.device("cpu"), 0)
    monkeypatch.setattr(host, "on_cpu", lambda tensor: False)
    network(batches[0])
    with pytest.raises(WsedError, match="500 samples"):
        network(batches[1])


@pytest.mark.parametrize("name", wsed.components("encoder"))
def test_short_clips_alone_give_scores_or_an_error_that_says_so(name):
    if name == "beats":
        pytest.importorskip("speechbrain", reason="the extra beats is not installed")
    encoder, frontend = registry("encoder")[name].example()
    network = Composed(LABELS, encoder, frontend=frontend or SHORT["frontend"]).eval()
    for n in (0, 1, 5, 19, 20, 80, 160, 300):
        batch, steps = of_lengths(n, rate=network.sample_rate), network.encoder.stride
        if n == 0 or not network.frontend.valid(batch.n_samples, steps).all():
            with pytest.raises(WsedError, match="are shorter than one frame"):
                network(batch)
        else:
            output = network(batch)
            assert output.valid.all()
            assert torch.isfinite(output.clip_logits).all()
