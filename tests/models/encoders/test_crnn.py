"""The CRNN: parameter and frame counts of Pellegrini & Cances 2019."""

import pytest
from torch import nn

import wsed
from wsed import testing
from wsed.models.encoders.cached_fusion import CachedFusion
from wsed.models.encoders.crnn import CRNN
from wsed.models.encoders.fusion import Fusion
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


@pytest.mark.parametrize("encoder_class", [CRNN, Fusion, CachedFusion])
def test_dropout_of_convolutions_and_of_other_layers_are_two_settings(encoder_class):
    """Every encoder with these blocks passes both on; a swap would change results without a word."""
    factory, frontend = encoder_class.example()
    encoder = factory(64 if frontend is None else frontend.n_bands, conv_dropout=0.3, dropout=0.1)
    assert {part.p for part in encoder.blocks.modules() if isinstance(part, nn.Dropout)} == {0.3}
    assert encoder.dropout.p == 0.1


def test_frames_of_ten_seconds(golden):
    network = Composed(TEN, CRNN)
    batch = testing.batch(2, 10, seconds=10.0, sample_rate=network.sample_rate)
    frames = golden("param_counts")["frames"]["cosine"]["centred"]
    assert network.eval()(batch).frame_logits.shape == (2, frames, 10)
