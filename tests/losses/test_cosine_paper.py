"""The losses of Pellegrini & Cances 2019 against golden values, a slow reference, and their invariances."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.losses import functional as F
from wsed.losses.bce import bce


@pytest.fixture
def case(golden):
    values = golden("cosine_loss")
    tags = torch.tensor(values["inputs"]["y"], dtype=torch.float64)
    scores = torch.tensor(values["inputs"]["p"], dtype=torch.float64, requires_grad=True)
    return values, scores, tags


def test_golden_values(case):
    values, p, y = case
    assert F.mil(p, y).item() == pytest.approx(values["mil_only_mean_BC"], abs=1e-9)
    assert F.mmm(p, y).item() == pytest.approx(values["mmm"]["loss_mean_BC_of_sum"], abs=1e-9)
    assert F.false_strong(p, y).item() == pytest.approx(values["fsl_mean_BTC"], abs=1e-9)
    assert F.cosine_penalty(p, y).item() == pytest.approx(np.mean(values["penalty"]), abs=1e-9)


def test_golden_loss_and_gradient(case):
    values, p, y = case
    loss = F.mil(p, y) + values["inputs"]["alpha"] * F.cosine_penalty(p, y)
    assert loss.item() == pytest.approx(values["loss_mean_BC"], abs=1e-9)
    loss.backward()
    expected = torch.tensor(values["grad_of_loss_mean_BC"], dtype=torch.float64)
    torch.testing.assert_close(p.grad, expected, atol=1e-9, rtol=0)


def test_bce_clips_like_keras(golden):
    values = golden("cosine_loss")["bce_keras_clip"]
    y, p = (torch.tensor(values[k], dtype=torch.float64) for k in ("y", "p"))
    torch.testing.assert_close(bce(y, p), torch.tensor(values["value"], dtype=torch.float64), atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", ["zero_positive_column", "single_positive"])
def test_degenerate_curves_cost_nothing_and_keep_gradients_finite(golden, name):
    values = golden("cosine_loss")[name]
    p = torch.tensor(values["p"], requires_grad=True)
    penalty = F.cosine_penalty(p, torch.tensor(values["y"]))
    penalty.backward()
    assert penalty.item() == pytest.approx(0.0, abs=1e-7)
    assert torch.isfinite(p.grad).all()
    assert p.grad.abs().max() < 10


def slow_penalty(p, y):
    clips, _frames, labels = p.shape
    total = 0.0
    for b in range(clips):
        for c in range(labels):
            for other in range(labels):
                if other != c and y[b, c] and y[b, other]:
                    u, v = p[b, :, c].tolist(), p[b, :, other].tolist()
                    dot = sum(i * j for i, j in zip(u, v, strict=True))
                    norm = math.sqrt(sum(i * i for i in u)) * math.sqrt(sum(j * j for j in v))
                    total += max(0.0, dot / norm)
    return total / (clips * labels)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 5), st.integers(0, 10**6))
def test_penalty_equals_a_loop_over_pairs(clips, frames, labels, seed):
    rng = torch.Generator().manual_seed(seed)
    p = torch.rand(clips, frames, labels, generator=rng, dtype=torch.float64) * 0.98 + 0.01
    y = (torch.rand(clips, labels, generator=rng) > 0.5).double()
    assert F.cosine_penalty(p, y).item() == pytest.approx(slow_penalty(p, y), abs=1e-9)


def test_penalty_ignores_scale_and_order_of_frames():
    p = torch.rand(2, 7, 3, dtype=torch.float64)
    y = torch.ones(2, 3, dtype=torch.float64)
    assert F.cosine_penalty(0.3 * p, y).item() == pytest.approx(F.cosine_penalty(p, y).item())
    assert F.cosine_penalty(p.flip(1), y).item() == pytest.approx(F.cosine_penalty(p, y).item())


def test_a_gradient_step_lowers_the_cosine():
    p = torch.rand(1, 20, 2, dtype=torch.float64, requires_grad=True)
    y = torch.ones(1, 2, dtype=torch.float64)
    before = F.cosine_penalty(p, y)
    before.backward()
    assert F.cosine_penalty((p - 0.1 * p.grad).clamp(0, 1), y) < before


def test_padding_and_untagged_clips_do_not_count():
    p, y = torch.rand(2, 6, 3), torch.tensor([[1.0, 1, 0], [1, 0, 1]])
    longer = torch.cat([p, torch.rand(2, 4, 3)], dim=1)
    valid = torch.arange(10).expand(2, 10) < 6
    for loss in (F.mil, F.mmm, F.false_strong, F.cosine_penalty):
        torch.testing.assert_close(loss(longer, y, valid), loss(p, y))
        tagged = torch.tensor([True, False])
        torch.testing.assert_close(loss(p, y, None, tagged), loss(p[:1], y[:1]))


def test_frame_bce_is_the_mean_over_known_frames():
    p, y = torch.rand(2, 5, 3), (torch.rand(2, 5, 3) > 0.5).float()
    timed, valid = torch.tensor([True, False]), torch.arange(5).expand(2, 5) < 4
    expected = torch.nn.functional.binary_cross_entropy(p[:1, :4], y[:1, :4])
    torch.testing.assert_close(F.frame_bce(p, y, valid, timed), expected)
