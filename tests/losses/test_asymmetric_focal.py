"""The asymmetric focal loss against a loop, and where it is another loss."""

import math

import pytest
import torch

from wsed import testing
from wsed.errors import WsedError
from wsed.losses.asymmetric_focal import AsymmetricFocal, asymmetric_focal
from wsed.losses.bce import ClipBCE, FrameBCE


@pytest.mark.parametrize(("gamma", "zeta"), [(0.0, 0.0), (0.0, 1.0), (0.5, 2.0), (2.0, 2.0)])
def test_it_equals_a_loop(gamma, zeta):
    torch.manual_seed(0)
    p, y = torch.rand(3, 4, 2, dtype=torch.float64), torch.rand(3, 4, 2, dtype=torch.float64).round()
    mask = torch.rand(3, 4, 1) > 0.3
    costs = []
    for place in mask.expand_as(p).nonzero().tolist():
        one, label = p[tuple(place)].item(), y[tuple(place)].item()
        active, silent = (1 - one) ** gamma * math.log(one), one**zeta * math.log(1 - one)
        costs.append(-label * active - (1 - label) * silent)
    found = asymmetric_focal(p, y, mask, gamma=gamma, zeta=zeta)
    assert found.item() == pytest.approx(sum(costs) / len(costs), rel=1e-6)


def test_without_exponents_it_is_the_cross_entropy():
    of = testing.batch(6)
    output = testing.output(of)
    torch.testing.assert_close(AsymmetricFocal(0.0, 0.0)(output, of), FrameBCE()(output, of))
    torch.testing.assert_close(AsymmetricFocal(0.0, 0.0, "clip")(output, of), ClipBCE()(output, of))


def test_easy_negatives_count_less_and_positives_as_before():
    scores, silent, active = torch.full((1, 1), 0.1), torch.zeros(1, 1), torch.ones(1, 1)
    plain, asymmetric = (
        [asymmetric_focal(scores, targets, zeta=zeta).item() for targets in (silent, active)] for zeta in (0.0, 2.0)
    )
    assert asymmetric[0] == pytest.approx(0.01 * plain[0])
    assert asymmetric[1] == pytest.approx(plain[1])


@pytest.mark.parametrize("scores", ["frame", "clip"])
def test_contract(scores):
    testing.check_loss(AsymmetricFocal(0.5, 2.0, scores))


def test_saturated_half_precision_scores_keep_gradients_finite():
    scores = torch.tensor([[0.0, 1.0]], dtype=torch.bfloat16, requires_grad=True)
    loss = asymmetric_focal(scores, torch.tensor([[1.0, 0.0]]), gamma=0.5, zeta=0.5)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(scores.grad).all()


def test_what_cannot_be_is_refused():
    with pytest.raises(WsedError, match="gamma and zeta must be 0 or more, not -1 and 1"):
        AsymmetricFocal(gamma=-1.0)
    with pytest.raises(WsedError, match="one shape"):
        asymmetric_focal(torch.rand(2, 3), torch.rand(2, 1))
    with pytest.raises(WsedError, match="unknown scores 'frames'"):
        AsymmetricFocal(scores="frames")
