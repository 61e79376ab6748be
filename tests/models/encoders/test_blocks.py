"""Convolutional blocks."""

import torch

from wsed.models.encoders.cnn import CNN


def test_dropout_drops_whole_channels():
    torch.manual_seed(0)
    encoder = CNN(64, dropout=0.5)
    frames = encoder(torch.randn(2, 64, 30), torch.ones(2, 30, dtype=torch.bool)).frames
    silent = (frames == 0).all(1)
    assert 0.2 < silent.float().mean() < 0.8
