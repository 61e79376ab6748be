"""Features, parameter counts and frame counts of the paper's networks."""

from functools import partial

import numpy as np
import pytest
import torch

import wsed
from wsed import testing
from wsed.errors import WsedError
from wsed.losses import functional as F
from wsed.models.encoders.cnn import CNN
from wsed.models.encoders.crnn import CRNN
from wsed.models.frontends import LogMel
from wsed.models.heads.attention import Attention, attend
from wsed.models.heads.framewise import Framewise
from wsed.models.heads.tagging import Tagging, mean_and_max
from wsed.models.network import Composed
from wsed.types import Encoded

TEN = wsed.Labels([f"class_{i}" for i in range(10)])


def count(network):
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


@pytest.mark.parametrize("activation", ["relu", "glu"])
def test_parameter_counts_of_the_paper(golden, activation):
    counts = golden("param_counts")["cosine_crnn"]
    network = Composed(TEN, lambda n: CRNN(n, activation))
    assert count(network) == counts[f"{activation}_torch_gru_trainable"]
    second_bias = sum(p.numel() for n, p in network.encoder.gru.named_parameters() if "bias_hh" in n)
    assert count(network) - second_bias == counts[f"{activation}_keras_gru_trainable"]


NOTEBOOK = {"channels": [64, 128, 256], "pools": [(2, 4), (1, 4), (1, 4)]}
"""The larger tagging network, of the authors' notebook."""


@pytest.mark.parametrize(
    ("sizes", "name", "stride"), [({}, "paper_64_64_64", 1), (NOTEBOOK, "notebook_64_128_256", 2)], ids=str
)
def test_parameter_counts_of_the_tagging_network(golden, sizes, name, stride):
    network = Composed(TEN, partial(CNN, **sizes), Tagging)
    assert count(network) == golden("param_counts")["cosine_at"][name]
    assert network.encoder.stride == stride


def test_the_attention_network_is_of_the_size_of_the_papers():
    network = Composed(TEN, lambda n: CRNN(n, "glu"), Attention)
    assert count(network) == count(Composed(TEN, lambda n: CRNN(n, "glu"), Framewise)) + 64 * 10 + 10


def test_frames_of_ten_seconds(golden):
    network = Composed(TEN, CRNN)
    batch = testing.batch(2, 10, seconds=10.0, sample_rate=network.sample_rate)
    frames = golden("param_counts")["frames"]["cosine"]["centred"]
    assert network.eval()(batch).frame_logits.shape == (2, frames, 10)


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


def test_several_heads_join_and_a_later_one_wins():
    network = Composed(TEN, CRNN, [lambda d, n: Framewise(d, n, "max"), lambda d, n: Framewise(d, n, "mean")])
    output = network.eval()(testing.batch(2, 10, sample_rate=22050))
    assert torch.all(output.clip_scores <= output.frame_scores.amax(1) + 1e-6)
    assert len(network.heads) == 2


@pytest.mark.parametrize("over", ["class", "time"])
def test_attention_golden(golden, over):
    values = golden("attention_pooling")
    cla, att = (torch.tensor(values["inputs"][k], dtype=torch.float64) for k in ("z_cla", "z_att"))
    expected = {k: torch.tensor(v, dtype=torch.float64) for k, v in values[f"softmax_over_{over}"].items()}
    attention, clip_logits = attend(cla, att, over=over)
    torch.testing.assert_close(attention, expected["att"], atol=1e-9, rtol=0)
    torch.testing.assert_close(clip_logits.sigmoid(), expected["clip"], atol=1e-9, rtol=0)
    attention, clip_logits = attend(cla.float(), att.float(), over=over)
    torch.testing.assert_close(attention.double(), expected["att"], atol=1e-6, rtol=0)
    torch.testing.assert_close(clip_logits.sigmoid().double(), expected["clip"], atol=1e-6, rtol=0)


@pytest.mark.parametrize("over", ["class", "time"])
def test_attention_leaves_padding_out_and_survives_extremes(over):
    cla, att = torch.randn(2, 2, 9, 3)
    valid = torch.arange(9).expand(2, 9) < 6
    attention, clip_logits = attend(cla, att, valid, over)
    alone, alone_logits = attend(cla[:, :6], att[:, :6], None, over)
    torch.testing.assert_close(attention[:, :6], alone)
    torch.testing.assert_close(clip_logits, alone_logits)
    assert over == "class" or attention[:, 6:].max() == 0

    far = (att * torch.tensor([1.0, 1.0, 0.0]) - torch.tensor([0.0, 0.0, 200.0])).requires_grad_()
    valid = torch.tensor([[True] * 9, [False] * 9])
    _, clip_logits = attend(cla, far, valid, over)
    assert clip_logits[0, 2].sigmoid() > 0.1, "a class that is never the likeliest still has its weighted mean"
    clip_logits.sum().backward()
    assert torch.isfinite(clip_logits).all()
    assert torch.isfinite(far.grad).all()


def test_what_the_frame_logits_of_attention_are_of():
    torch.manual_seed(0)
    encoded = Encoded(torch.randn(2, 9, 6), torch.ones(2, 9, dtype=torch.bool))
    heads = {kind: Attention(6, 3, strong_from=kind) for kind in ("att", "cla", "product")}
    for head in heads.values():
        head.load_state_dict(heads["att"].state_dict())
    outputs = {kind: head(encoded) for kind, head in heads.items()}
    torch.testing.assert_close(outputs["att"].frame_scores, outputs["att"].attention)
    both = outputs["att"].attention * outputs["cla"].frame_scores
    torch.testing.assert_close(outputs["product"].frame_scores, both)
    tags = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    cla = outputs["cla"]
    pooled = F.mil(cla.frame_scores, tags, cla.valid, pooling="attention", attention=cla.attention)
    torch.testing.assert_close(F.clip_bce(cla.clip_scores, tags), pooled)
    torch.testing.assert_close(cla.clip_logits, outputs["att"].clip_logits)


def test_mean_and_max_are_of_the_valid_frames():
    frames = torch.tensor([[[-1.0, 4.0], [-3.0, 2.0], [9.0, 9.0]], [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]])
    valid = torch.tensor([[True, True, False], [False, False, False]])
    assert mean_and_max(frames, valid).tolist() == [[-2.0, 3.0, -1.0, 4.0], [0.0, 0.0, 0.0, 0.0]]


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


def test_tagging_beside_framewise_wins_on_the_clip_and_leaves_the_frames():
    torch.manual_seed(0)
    network = BOTH[0](TEN).eval()
    assert network.provides >= {"frame_logits", "clip_logits", "clip_embedding", "embeddings"}
    batch = testing.batch(2, 10, sample_rate=22050)
    output = network(batch)
    features, valid = network.frontend(batch.audio, batch.n_samples)
    frames, clips = (head(network.encoder(features, valid)) for head in network.heads)
    torch.testing.assert_close(output.frame_logits, frames.frame_logits)
    torch.testing.assert_close(output.clip_logits, clips.clip_logits)
    assert not torch.allclose(output.clip_logits, frames.clip_logits)


def test_dropout_drops_whole_channels():
    torch.manual_seed(0)
    encoder = CNN(64, dropout=0.5)
    frames = encoder(torch.randn(2, 64, 30), torch.ones(2, 30, dtype=torch.bool)).frames
    silent = (frames == 0).all(1)
    assert 0.2 < silent.float().mean() < 0.8


def test_channels_and_pools_of_the_cnn_can_be_set():
    assert CNN(64, channels=8).dim == 8
    wide = CNN(128, channels=[4, 6], pools=[(2, 4), (2, 4)])
    assert (wide.dim, wide.stride) == (6 * 8, 4)
    with pytest.raises(WsedError, match="2 channels for 3 pools"):
        CNN(64, channels=[4, 6])
    with pytest.raises(WsedError, match="leave nothing of 8 bands"):
        CNN(8)
    with pytest.raises(WsedError, match="pairs of 1 or more"):
        CNN(64, pools=[(0, 4)])


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(WsedError, match="leave nothing of 8 bands"):
        CRNN(8)
    with pytest.raises(WsedError, match="f_max"):
        LogMel(16000, f_max=11025.0)
    with pytest.raises(WsedError, match="unknown pooling"):
        Framewise(4, 2, pooling="maxx")
