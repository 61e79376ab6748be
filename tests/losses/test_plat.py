"""The loss PLAT, and the activation map that it reads."""

from functools import partial

import pytest
import torch

from wsed import Labels, WsedError, testing
from wsed.losses import functional as F
from wsed.losses.base import Weighted
from wsed.losses.micro import Micro
from wsed.losses.plat import PLAT
from wsed.models.encoders.resnet1d import ResNet1d
from wsed.models.frontends import LogMel
from wsed.models.heads.macro import Macro
from wsed.models.heads.micro import Micro as MicroHead
from wsed.models.heads.micro import summed_attention
from wsed.models.network import Composed
from wsed.training.task import SEDTask


def attention(v, norm="sum", n_labels=2):
    return summed_attention(v, torch.ones(v.shape[:2], dtype=torch.bool), norm).expand(-1, -1, n_labels)


def test_an_activation_map_is_no_attention():
    heads = {
        "attention": [Macro, MicroHead],
        "map": [partial(Macro, activation_map=True), partial(MicroHead, aspects=0)],
    }
    networks = {
        name: Composed(Labels("ab"), partial(ResNet1d, channels=(4, 4, 4)), head, LogMel(8000, 256, 80, 16, 0.0))
        for name, head in heads.items()
    }
    losses = {"attention": Micro(), "map": PLAT()}
    of = testing.batch(4, 2)
    for name, loss in losses.items():
        network = SEDTask(networks[name], {"segments": Weighted(loss)}).network
        loss(network(of), of).backward()
    with pytest.raises(WsedError, match="loss 'segments' reads activation_map, which the network does not provide"):
        SEDTask(networks["attention"], {"segments": Weighted(PLAT())})
    with pytest.raises(WsedError, match="loss 'segments' reads attention, which the network does not provide"):
        SEDTask(networks["map"], {"segments": Weighted(Micro())})


def test_plat_is_the_cross_entropy_with_labels_where_the_map_is_high():
    scores = torch.tensor([[[0.2, 0.6], [0.9, 0.3], [0.4, 0.5]]], requires_grad=True)
    activation = torch.tensor([[[0.1, 0.9], [1.0, 0.2], [0.6, 1.0]]], requires_grad=True)
    tags = torch.tensor([[1.0, 0.0]])
    labels = torch.tensor([[[0.0, 0], [1, 0], [1, 0]]])
    loss = F.plat(scores, activation, tags)
    torch.testing.assert_close(loss, F.frame_bce(scores, labels))
    labels = torch.tensor([[[0.0, 0], [1, 0], [0, 0]]])
    torch.testing.assert_close(F.plat(scores, activation, tags, threshold=0.7), F.frame_bce(scores, labels))
    loss.backward()
    assert scores.grad.abs().min() > 0
    assert activation.grad is None
    with pytest.raises(WsedError, match="threshold must be in"):
        PLAT(1.0)
