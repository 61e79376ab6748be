"""Aggregation of frames to a clip embedding."""

import pytest
import torch

import wsed
from wsed import WsedError, testing
from wsed.models.encoders.waa import WAA
from wsed.models.frontends import Standardised
from wsed.models.heads.embedding import Embedding, aggregate
from wsed.models.heads.mlp import MLP
from wsed.models.network import Composed
from wsed.types import Encoded

TEN = wsed.Labels([f"class_{i}" for i in range(10)])


def network(head=MLP, frontend=None):
    return Composed(TEN, WAA, head, frontend or Standardised())


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
