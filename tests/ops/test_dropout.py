"""Dropout by bytes: the rate, the scale, the gradient, the seed."""

import pytest
import torch

from wsed.ops.dropout import Dropout


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_rate_scale_and_gradient(layout):
    torch.manual_seed(0)
    x = torch.ones(50, 16, 20, 17).to(memory_format=layout).requires_grad_()
    given = Dropout(0.2)(x)
    given.sum().backward()
    y = given.detach()
    assert y.is_contiguous(memory_format=layout)
    kept = y > 0
    n = kept.numel()
    assert float(kept.float().mean()) == pytest.approx(1 - 51 / 256, abs=4 * (0.16 / n) ** 0.5)
    torch.testing.assert_close(y[kept].unique(), torch.tensor([256 / 205]))
    assert float(y.mean()) == pytest.approx(1, abs=0.005)
    torch.testing.assert_close(x.grad, y)
    for dim in range(4):  # no element, channel or clip is spared
        share = kept.float().mean([d for d in range(4) if d != dim])
        assert (share - 0.8).abs().max() < 0.02


def test_every_element_is_drawn_anew_and_the_seed_decides():
    x = torch.ones(1001)
    torch.manual_seed(1)
    first, second = Dropout(0.5)(x), Dropout(0.5)(x)
    assert (first == second).float().mean() == pytest.approx(0.5, abs=0.1)
    torch.manual_seed(1)
    assert torch.equal(Dropout(0.5)(x), first)


def test_strided_views():
    x = torch.ones(40, 30)[:, ::2]
    y = Dropout(0.5)(x.T)
    assert set(y.unique().tolist()) == {0.0, 2.0}


def test_nothing_in_eval_mode_nor_at_rate_zero():
    x = torch.randn(9)
    assert torch.equal(Dropout(0.9).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)
    assert torch.equal(Dropout(1.0)(x), torch.zeros(9))
