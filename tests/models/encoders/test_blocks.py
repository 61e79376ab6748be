"""Convolutional blocks."""

import pytest
import torch

from wsed.errors import WsedError
from wsed.models.encoders.blocks import ConvBlocks
from wsed.models.encoders.cdur import CDur
from wsed.models.encoders.cnn import CNN
from wsed.models.encoders.conformer import Conformer
from wsed.models.encoders.crnn import CRNN
from wsed.models.encoders.resnet1d import ResNet1d


def test_dropout_drops_whole_channels():
    torch.manual_seed(0)
    encoder = CNN(64, dropout=0.5)
    frames = encoder(torch.randn(2, 64, 30), torch.ones(2, 30, dtype=torch.bool)).frames
    silent = (frames == 0).all(1)
    assert 0.2 < silent.float().mean() < 0.8


@pytest.mark.parametrize("activation", ["relu", "glu"])
def test_folded_batch_norm_is_batch_norm(activation):
    torch.manual_seed(0)
    blocks = ConvBlocks(16, channels=8, pools=[(1, 4), (2, 2)], activation=activation).eval()
    for block in blocks:
        for value in (block.norm.running_mean, block.norm.running_var, block.norm.weight, block.norm.bias):
            torch.nn.init.uniform_(value, 0.5, 2.0)
    features, valid = torch.randn(2, 16, 10), torch.arange(10) < torch.tensor([[10], [7]])
    plain, _ = blocks(features, valid)
    with torch.no_grad():
        folded, _ = blocks(features, valid)
    assert plain.requires_grad
    torch.testing.assert_close(folded, plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("bands_first", [True, False])
def test_the_first_convolution_reads_channels_last(bands_first):
    """Else its backward pass on a GPU would copy the gradient of all channels: torch tells the format by strides."""
    found, blocks = [], ConvBlocks(16, channels=8, pools=[(1, 4)])
    blocks[0].register_forward_pre_hook(lambda _, inputs: found.append(inputs[0].stride()))
    features = torch.randn(2, 16, 10) if bands_first else torch.randn(2, 10, 16).transpose(1, 2)
    blocks(features, None)
    assert found == [(160, 1, 16, 1)]


def test_an_exported_network_computes_the_halves_of_a_gated_unit_apart(monkeypatch):
    torch.manual_seed(0)
    block = ConvBlocks(16, channels=8, pools=[(1, 4)], activation="glu").eval()[0]
    torch.nn.init.uniform_(block.norm.running_var, 0.5, 2.0)
    x = torch.randn(2, 1, 10, 16)
    with torch.no_grad():
        together = block(x)
        monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
        monkeypatch.setattr(block, "_normed", None)
        torch.testing.assert_close(block(x), together, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cls", [CNN, CRNN, Conformer, ResNet1d, CDur])
def test_clips_that_are_too_short_to_be_pooled_are_refused(cls):
    pools = {ResNet1d: {"pools": (4, 2)}, CDur: {}}
    encoder = cls(64, **pools.get(cls, {"pools": [(4, 2), (2, 2), (1, 2)]}))
    n = encoder.stride
    assert encoder(torch.zeros(2, 64, n), None).frames.shape[1] == 1
    with pytest.raises(WsedError, match=f"clips of {n - 1} frames are too short for pools over {n}"):
        encoder(torch.zeros(2, 64, n - 1), None)
