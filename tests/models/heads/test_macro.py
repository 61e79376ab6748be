"""The macro subnet of M&mnet and its activation map."""

from functools import partial

import lightning.pytorch  # noqa: F401  here: its log handler keeps the stderr it finds, which must not be a test's own
import pytest
import torch
from torch.nn import functional as nnf

from wsed import WsedError
from wsed.models.heads.macro import Macro, scaled_to_one
from wsed.models.heads.parts import Parts
from wsed.types import Encoded


def encoded(n_clips=3, n_frames=9, dim=6):
    """Frames of clips of which the last is shorter."""
    valid = torch.ones(n_clips, n_frames, dtype=torch.bool)
    valid[-1, 5:] = False
    return Encoded(torch.randn(n_clips, n_frames, dim), valid)


def normed(x, norm):
    return nnf.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_macro_is_what_the_paper_writes(pooling):
    torch.manual_seed(0)
    head, given = Macro(6, 3, pooling, hidden=5).eval(), encoded()
    for i, n in enumerate((9, 9, 5)):
        x = given.frames[i, :n]
        x = x.mean(0) if pooling == "mean" else x.amax(0)
        for linear, norm in (head.dense[0:2], head.dense[3:5]):
            x = normed(linear(x)[None], norm)[0].relu()
        torch.testing.assert_close(head(given).clip_logits[i], head.linear(x))


def test_the_activation_map_is_the_classifier_on_each_frame():
    torch.manual_seed(0)
    head, given = Macro(6, 3, hidden=5, activation_map=True), encoded()
    before = {name: value.clone() for name, value in head.state_dict().items()}
    head.train()._map(given)
    assert head.training
    assert head.dense.training
    assert all(torch.equal(value, before[name]) for name, value in head.state_dict().items())
    head.dense[1].eval()  # frozen
    head._map(given)
    assert (head.dense[1].training, head.dense[0].training) == (False, True)
    found = head.eval()(given).activation_map
    scores = torch.stack([head(Encoded(x[:, None], x.new_ones(3, 1) > 0)).clip_logits for x in given.frames.unbind(1)])
    kept = scores.transpose(0, 1)[2, :5]
    torch.testing.assert_close(found[2, :5], (kept - kept.amin(0)) / (kept.amax(0) - kept.amin(0)))
    assert not found[2, 5:].any()
    assert not found.requires_grad


def test_scaled_to_one_survives_flat_curves_and_clips_without_a_frame():
    valid = torch.tensor([[True] * 4, [False] * 4])
    found = scaled_to_one(torch.tensor([1.0, 3, 2, 1]).expand(2, 2, 4).transpose(1, 2) * torch.tensor([1.0, 0]), valid)
    assert found[0, :, 0].tolist() == [0, 1, 0.5, 0]
    assert not found[0, :, 1].any()
    assert not found[1].any()


@pytest.mark.parametrize("build", [Macro, partial(Macro, activation_map=True), Parts])
def test_a_single_clip_in_training_is_refused(build):
    head, one = build(6, 3), encoded(n_clips=1)
    with pytest.raises(WsedError, match=r"needs two clips or more in a training batch; give data\.batch two clips"):
        head(one)
    for norm in (head.dense[1], head.dense[4]):  # frozen
        norm.eval()
    assert head(one).clip_logits.shape == head.eval()(one).clip_logits.shape == (1, 3)
