"""The attention head: golden values, padding, extremes."""

import pytest
import torch

import wsed
from wsed.losses import functional as F
from wsed.models.encoders.crnn import CRNN
from wsed.models.heads.attention import Attention, attend
from wsed.models.heads.framewise import Framewise
from wsed.models.network import Composed
from wsed.types import Encoded

TEN = wsed.Labels([f"class_{i}" for i in range(10)])


def count(network):
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def test_the_attention_network_is_of_the_size_of_the_papers():
    network = Composed(TEN, lambda n: CRNN(n, "glu"), Attention)
    assert count(network) == count(Composed(TEN, lambda n: CRNN(n, "glu"), Framewise)) + 64 * 10 + 10


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
