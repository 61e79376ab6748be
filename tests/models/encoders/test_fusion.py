"""A CRNN with a pretrained encoder beside its convolutions."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

import wsed
from wsed import WsedError, testing
from wsed.models import LogMel, Waveform
from wsed.models.embeddings import Embeddings
from wsed.models.encoders.cached_fusion import FusionFeatures
from wsed.models.encoders.cdur import CDur, CDurFeatures
from wsed.models.encoders.cnn import CNN
from wsed.models.encoders.fusion import Fusion
from wsed.models.encoders.module import ModuleEncoder

OWN = LogMel(8000, 64, 8, 16)
SIZES = {"frontend": OWN, "channels": 4, "pools": [(2, 4)], "gru": 4, "dense": 8}


class Places(nn.Module):
    """Embeddings of one value: their place, from 1."""

    def forward(self, samples):
        return torch.arange(1.0, samples.shape[1] // 40 + 1).expand(len(samples), -1)[..., None]


@pytest.fixture
def placed():
    """An encoder whose embeddings, 40 samples each, are their places; and what goes beside the convolutions."""
    beside = partial(ModuleEncoder, module=Places, dim=1, stride=40, takes="samples")
    encoder = Fusion(1, beside, Waveform(8000, normalise=False), **SIZES).eval()
    seen = []
    encoder.join.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][..., -1]))
    return encoder, seen


def test_each_frame_has_the_embedding_at_its_middle(placed):
    encoder, seen = placed
    encoder(torch.randn(1, 1, 170), None)
    middles = torch.arange(10) * 16 + 8
    assert seen[0].tolist() == [(middles // 40 + 1).clamp(max=4).tolist()]  # the last embedding ends at 160


def test_a_shorter_clip_keeps_its_last_embedding(placed):
    encoder, seen = placed
    valid = torch.arange(170) < torch.tensor([170, 90, 30])[:, None]
    encoder(torch.randn(3, 1, 170), valid)
    assert seen[0][1].tolist() == [1, 1, 2, 2, 2, 2, 2, 2, 2, 2]
    assert seen[0][2].tolist() == [0] * 10  # shorter than an embedding
    encoder(torch.randn(1, 1, 30), None)
    assert seen[1].tolist() == [[0]]


def test_what_does_not_fit_is_refused():
    beside = partial(CDur, pretrained=None)
    with pytest.raises(WsedError, match=r"takes the waveform, not 64 bands; .*sample_rate: 8000, normalise: false"):
        Fusion(64, beside, CDurFeatures(), **SIZES)
    with pytest.raises(WsedError, match="frontend is of 8000 Hz, pretrained_frontend of 22050 Hz"):
        Fusion(1, beside, CDurFeatures(), **SIZES)
    with pytest.raises(WsedError, match=r"waveform, init_args: {sample_rate: 8000, normalise: False}"):
        wsed.Composed(wsed.Labels("ab"), Fusion.example()[0], frontend=Waveform(8000))


def test_weights_of_another_frontend_are_refused(shared):
    weights = str(shared / "data/pretrained/gpv/teacher2.pth")
    beside = partial(CDur, pretrained=weights)
    settings = SIZES | {"frontend": LogMel(22050, 64, 8, 16)}
    with pytest.raises(WsedError, match="give `pretrained_frontend: cdur`"):
        Fusion(1, beside, LogMel(22050), **settings)
    assert Fusion(1, beside, CDurFeatures(), **settings).dim == 8


def test_a_frozen_encoder_is_trained_in_the_second_stage(tmp_path):
    """The weights of the first stage fit the second by name."""
    beside = partial(CDur, freeze=True)
    settings = SIZES | {"frontend": LogMel(22050, 64, 8, 16)}
    first = Fusion(1, beside, CDurFeatures(), **settings)
    trained = {name for name, p in first.named_parameters() if p.requires_grad}
    assert not any(name.startswith("pretrained_encoder") for name in trained)
    assert any(name.startswith("join") for name in trained)
    second = Fusion(1, CDur, CDurFeatures(), **settings)
    second.load_state_dict(first.state_dict())
    assert all(p.requires_grad for p in second.parameters())


@pytest.mark.parametrize("pools", [[(1, 4)], [(2, 4)]])
@pytest.mark.parametrize("n", [320, 2240, 4000, 4080, 4160])
def test_a_clip_has_the_same_frames_alone_and_beside_a_longer_one(n, pools):
    build, _ = Fusion.example()
    build = partial(build, frontend=LogMel(8000, 256, 160, 64), pools=pools)
    torch.manual_seed(0)
    network = wsed.Composed(wsed.Labels("ab"), build, frontend=Waveform(8000, normalise=False)).eval()
    both = testing.batch(2, 2, seconds=1.0)
    both = replace(both, n_samples=torch.tensor([8000, n]))
    audio = torch.where(torch.arange(8000) < both.n_samples[:, None], both.audio, 0.0)
    both = replace(both, audio=audio)
    one = testing.take(both, torch.tensor([1]))
    one = replace(one, audio=one.audio[:, :n])
    with torch.no_grad():
        together, alone = network(both), network(one)
    m = int(alone.valid.sum())
    assert int(together.valid[1].sum()) == m == n // network.encoder.stride
    torch.testing.assert_close(together.frame_logits[1, :m], alone.frame_logits[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(together.clip_logits[1], alone.clip_logits[0], atol=1e-5, rtol=0)
    beside = Embeddings(build, Waveform(8000, normalise=False))
    features, valid = beside(both.audio, both.n_samples)
    assert torch.equal(beside.valid(both.n_samples, features.shape[2]), valid)
    assert torch.equal(valid, together.valid)


def test_a_clip_shorter_than_an_embedding_has_zeros_beside_it_alone_too():
    torch.manual_seed(0)
    encoder, frontend = Fusion(1, partial(CNN, channels=2, pools=[(8, 4)]), LogMel(8000, 64, 16, 16), **SIZES), OWN
    seen = []
    encoder.eval().join.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][..., encoder.blocks.dim :]))
    audio = torch.randn(2, 1, 1000) * (torch.arange(1000) < torch.tensor([[[1000]], [[90]]]))
    with torch.no_grad():
        together = encoder(audio, torch.arange(1000) < torch.tensor([[1000], [90]]))
        alone = encoder(audio[1:, :, :90], None)
    assert not seen[0][1, :5].any()
    assert not seen[1].any()
    torch.testing.assert_close(together.frames[1, :5], alone.frames[0], atol=1e-5, rtol=0)
    features = FusionFeatures(Embeddings(partial(CNN, channels=2, pools=[(8, 4)]), LogMel(8000, 64, 16, 16)), frontend)
    assert not features(audio[1, :, :90], torch.tensor([90]))[0][:, frontend.n_bands :].any()
