"""Features, parameter counts and frame counts of the paper's networks."""

import numpy as np
import pytest
import torch

import wsed
from wsed import testing
from wsed.errors import WsedError
from wsed.models.encoders.crnn import CRNN
from wsed.models.frontends import LogMel
from wsed.models.heads.framewise import Framewise
from wsed.models.network import Composed

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


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(WsedError, match="leave nothing of 8 bands"):
        CRNN(8)
    with pytest.raises(WsedError, match="f_max"):
        LogMel(16000, f_max=11025.0)
    with pytest.raises(WsedError, match="unknown pooling"):
        Framewise(4, 2, pooling="maxx")
