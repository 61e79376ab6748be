"""Losses of pytorch-metric-learning by name."""

from dataclasses import replace

import pytest
import torch

from wsed import WsedError, testing
from wsed.losses import functional as F
from wsed.losses.metric_learning import MetricLearning
from wsed.losses.triplet import Triplet


def labelled(labels=3, per_class=3, dim=5):
    """A batch with one tag per clip, and an output."""
    n = labels * per_class
    of = testing.batch(n, labels)
    of = replace(of, clip_labels=torch.eye(labels)[torch.arange(n) % labels])
    return of, testing.output(of, dim=dim)


@pytest.fixture
def pml():
    return pytest.importorskip("pytorch_metric_learning", reason="the extra metric is not installed")


def test_losses_of_pytorch_metric_learning_by_name(pml):
    from pytorch_metric_learning import losses, miners

    of, output = labelled()
    e, label = output.clip_embedding, of.clip_labels.argmax(1)
    ours = MetricLearning("NTXentLoss", {"temperature": 0.2}, "MultiSimilarityMiner", {"epsilon": 0.5})
    theirs = losses.NTXentLoss(0.2)(e, label, miners.MultiSimilarityMiner(0.5)(e, label))
    torch.testing.assert_close(ours(output, of), theirs)
    path = MetricLearning("pytorch_metric_learning.losses.ContrastiveLoss")
    torch.testing.assert_close(path(output, of), losses.ContrastiveLoss()(e, label))
    proxies = MetricLearning("ProxyAnchorLoss", {"num_classes": 3, "embedding_size": 5})
    assert len(list(proxies.parameters())) == 1, "trained with the network"


def test_with_several_tags_a_loss_of_theirs_gets_pairs(pml):
    from pytorch_metric_learning import distances, losses, reducers

    of, output = labelled()
    tags = of.clip_labels.clone()
    tags[0, 1] = 1.0
    of = replace(of, clip_labels=tags)
    squared = {"distance": distances.LpDistance(power=2), "reducer": reducers.MeanReducer()}
    ours = MetricLearning("TripletMarginLoss", {"margin": 0.3, **squared})(output, of)
    torch.testing.assert_close(ours, F.triplet(output.clip_embedding, tags))
    assert isinstance(MetricLearning().criterion, losses.TripletMarginLoss)
    with pytest.raises(WsedError, match="BatchHardMiner takes one tag per clip"):
        MetricLearning(miner="BatchHardMiner")(output, of)
    with pytest.raises(WsedError, match=r"ArcFaceLoss takes one tag per clip.*prototypical"):
        MetricLearning("ArcFaceLoss", {"num_classes": 3, "embedding_size": 5})(output, of)


def test_those_that_take_one_class_say_so_before_training(pml):
    assert not MetricLearning("TripletMarginLoss").needs.one_class
    assert not MetricLearning("NTXentLoss").needs.one_class
    assert MetricLearning("TripletMarginLoss", miner="BatchHardMiner").needs.one_class
    assert MetricLearning("ArcFaceLoss", {"num_classes": 3, "embedding_size": 4}).needs.one_class
    assert (Triplet().needs | MetricLearning("TripletMarginLoss", miner="BatchHardMiner").needs).one_class


def test_names_that_are_not_there_are_refused(pml):
    with pytest.raises(WsedError, match="did you mean NTXentLoss"):
        MetricLearning("NTXentLos")
    with pytest.raises(WsedError, match="arguments of NTXentLoss"):
        MetricLearning("NTXentLoss", {"temperatur": 1})
    with pytest.raises(WsedError, match="nowhere, which is not installed"):
        MetricLearning("nowhere.Loss")


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pytorch_metric_learning.losses", None)
    with pytest.raises(WsedError, match=r"pip install 'wsed\[metric\]'"):
        MetricLearning()
